/**
 * Who can answer right now. An approver is an unlocked desktop session with the shell running, or a dashboard tab whose
 * live stream is open at this moment; a cookie alone is none (design section 3).
 */
export interface Approvers {
  /** The returned function is called when that approver leaves (lock, tab closed). */
  arrive(kind: 'desktop' | 'dashboard'): () => void;
  /** Whether anybody can answer; with a kind, whether one of that kind can. */
  present(kind?: 'desktop' | 'dashboard'): boolean;
  onChange(listener: () => void): () => void;
}

export function createApprovers(): Approvers {
  const present = new Set<{ readonly kind: 'desktop' | 'dashboard' }>();
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  return {
    arrive(kind) {
      const approver = { kind };
      present.add(approver);
      tell();
      return () => {
        if (present.delete(approver)) tell();
      };
    },
    present: (kind) =>
      kind === undefined ? present.size > 0 : [...present].some((approver) => approver.kind === kind),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

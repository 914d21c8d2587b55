/**
 * Who can answer right now. An approver is an unlocked desktop session with the shell running, or a dashboard tab whose
 * live stream is open at this moment; a cookie alone is none (design section 3).
 */
export interface Approvers {
  /** The returned function is called when that approver leaves (lock, tab closed). */
  arrive(kind: 'desktop' | 'dashboard'): () => void;
  present(): boolean;
  onChange(listener: () => void): () => void;
}

export function createApprovers(): Approvers {
  const present = new Set<object>();
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
    present: () => present.size > 0,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

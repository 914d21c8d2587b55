import { createContext, useCallback, useContext, useEffect, useRef, useState } from 'react';
import type { Bridge, RequestInput, RequestName, RequestResult } from '../shared/api.ts';
import type { Topic } from '../shared/model.ts';

export const BridgeContext = createContext<Bridge | null>(null);

export function useBridge(): Bridge {
  const bridge = useContext(BridgeContext);
  if (!bridge) throw new Error('No bridge above this component.');
  return bridge;
}

export interface Live<T> {
  /** Undefined only until the first answer. */
  readonly data: T | undefined;
  /** Why the last request failed; the data before it stays. */
  readonly problem: string | null;
  reload(): void;
}

/** A request asked again whenever one of its topics changed. Bursts are asked once. */
export function useLive<N extends RequestName>(
  name: N,
  input: RequestInput<N>,
  topics: readonly Topic[],
): Live<RequestResult<N>> {
  const bridge = useBridge();
  const key = JSON.stringify([name, input]);
  const topicKey = topics.join();
  const [state, setState] = useState<{ data: RequestResult<N> | undefined; problem: string | null }>({
    data: undefined,
    problem: null,
  });
  const asked = useRef(0);
  const ask = useCallback(async () => {
    const [askedName, askedInput] = JSON.parse(key) as [N, RequestInput<N>];
    const turn = ++asked.current;
    try {
      const data = await bridge.request(askedName, askedInput);
      if (turn === asked.current) setState({ data, problem: null });
    } catch (error) {
      if (turn === asked.current) setState((before) => ({ ...before, problem: messageOf(error) }));
    }
  }, [bridge, key]);

  useEffect(() => {
    void ask();
    let timer: number | undefined;
    const wanted = topicKey.split(',');
    const unsubscribe = bridge.subscribe((topic) => {
      if (!wanted.includes(topic)) return;
      timer ??= window.setTimeout(() => {
        timer = undefined;
        void ask();
      }, 40);
    });
    return () => {
      unsubscribe();
      window.clearTimeout(timer);
      asked.current++;
    };
  }, [ask, bridge, topicKey]);

  return { data: state.data, problem: state.problem, reload: () => void ask() };
}

export interface Act {
  readonly busy: boolean;
  /** Why the last one did not happen. */
  readonly problem: string | null;
  run(doIt: () => Promise<{ readonly kind: string; readonly message?: string }>): Promise<boolean>;
}

/** One act of the person at a time, with its refusal as a sentence beside the button. */
export function useAct(): Act {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const running = useRef(false);
  return {
    busy,
    problem,
    async run(doIt) {
      if (running.current) return false;
      running.current = true;
      setBusy(true);
      setProblem(null);
      try {
        const result = await doIt();
        if (result.kind === 'refused') setProblem(result.message ?? 'It was refused.');
        return result.kind !== 'refused';
      } catch (error) {
        setProblem(messageOf(error));
        return false;
      } finally {
        running.current = false;
        setBusy(false);
      }
    },
  };
}

/** Milliseconds since 1970, moving on every second, for what is shown as time left or time ago. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

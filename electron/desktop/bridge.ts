import { ipcRenderer } from 'electron';
import type { Bridge } from '../../shared/api.ts';
import type { Topic } from '../../shared/model.ts';
import type { ApiAnswer } from '../core/api.ts';
import type { Channels } from './channels.ts';

/**
 * What both preloads expose. The page gets these functions and never `ipcRenderer`, a channel name or an event object.
 * A request that was not answered rejects with the sentence the core gave.
 */
export function createBridge<S extends Bridge['surface']>(surface: S, channels: Channels) {
  return {
    surface,
    request: async (name: string, input: unknown) => {
      const answer: ApiAnswer = await ipcRenderer.invoke(channels.request, name, input);
      if (answer.kind !== 'answered') throw new Error(answer.message);
      return answer.result;
    },
    subscribe: (then: (topic: Topic) => void) => {
      const listener = (_event: unknown, topic: Topic) => then(topic);
      ipcRenderer.on(channels.topic, listener);
      return () => {
        ipcRenderer.removeListener(channels.topic, listener);
      };
    },
  };
}

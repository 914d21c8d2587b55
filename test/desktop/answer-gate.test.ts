import { describe, expect, test } from 'vitest';
import { createAnswerGate, type HandInput, PRESS_MS, SEEN_MS } from '../../electron/desktop/answer-gate.ts';
import { fakeClock } from '../support/fake-clock.ts';

const CARD = 'approval:a';

function seenGate() {
  const clock = fakeClock();
  const gate = createAnswerGate(clock);
  gate.shown(CARD);
  const press = (device: HandInput['device'] = 'mouse') => {
    gate.input({ device, phase: 'down' });
    gate.input({ device, phase: 'up' });
  };
  return { clock, gate, press };
}

describe('the answer gate', () => {
  test('a press on a card that was in sight for half a second is admitted', async () => {
    const { clock, gate, press } = seenGate();
    await clock.advance(SEEN_MS);
    press();
    expect(gate.admit(CARD)).toEqual({ kind: 'admitted' });
  });

  test('an answer without any press is refused: a script clicked', async () => {
    const { clock, gate } = seenGate();
    await clock.advance(60_000);
    expect(gate.admit(CARD)).toEqual({ kind: 'refused', reason: 'no_input' });
  });

  test('one press answers once', async () => {
    const { clock, gate, press } = seenGate();
    await clock.advance(SEEN_MS);
    press();
    gate.admit(CARD);
    expect(gate.admit(CARD)).toEqual({ kind: 'refused', reason: 'no_input' });
  });

  test('a press is stale after a second', async () => {
    const { clock, gate, press } = seenGate();
    await clock.advance(SEEN_MS);
    press();
    await clock.advance(PRESS_MS + 1);
    expect(gate.admit(CARD)).toEqual({ kind: 'refused', reason: 'no_input' });
  });

  test('a press before the card was in sight for half a second is refused, however late its answer comes', async () => {
    const { clock, gate, press } = seenGate();
    await clock.advance(SEEN_MS - 1);
    press();
    await clock.advance(100);
    expect(gate.admit(CARD)).toEqual({ kind: 'refused', reason: 'too_soon' });
  });

  test('a button held down while the card came up and let go later was meant for something else', async () => {
    const { clock, gate } = seenGate();
    gate.input({ device: 'mouse', phase: 'down' });
    await clock.advance(SEEN_MS * 2);
    gate.input({ device: 'mouse', phase: 'up' });
    expect(gate.admit(CARD)).toEqual({ kind: 'refused', reason: 'too_soon' });
  });

  test('Enter and Space every 30 ms while a card appears approve nothing', async () => {
    const { clock, gate, press } = seenGate();
    for (let n = 0; n < 10; n++) {
      press(n % 2 === 0 ? 'Enter' : 'Space');
      expect(gate.admit(CARD)).toEqual({ kind: 'refused', reason: 'too_soon' });
      await clock.advance(30);
    }
  });

  test('an answer about another card than the one in the window is refused', async () => {
    const { clock, gate, press } = seenGate();
    await clock.advance(SEEN_MS);
    press();
    expect(gate.admit('approval:b')).toEqual({ kind: 'refused', reason: 'other_card' });
    expect(gate.admit('confirmation:a')).toEqual({ kind: 'refused', reason: 'other_card' });
  });

  test('a press on one card does not answer the card that came after it', async () => {
    const { clock, gate, press } = seenGate();
    await clock.advance(SEEN_MS);
    press();
    gate.shown('approval:b');
    expect(gate.admit('approval:b')).toEqual({ kind: 'refused', reason: 'no_input' });
  });

  test('handing over the same card again does not restart the half second', async () => {
    const { clock, gate, press } = seenGate();
    await clock.advance(SEEN_MS);
    gate.shown(CARD);
    press();
    expect(gate.admit(CARD)).toEqual({ kind: 'admitted' });
  });

  test('a card that was handed over while the window was hidden counts from when the window appeared', async () => {
    const { clock, gate, press } = seenGate();
    await clock.advance(60_000);
    gate.appeared();
    await clock.advance(SEEN_MS - 1);
    press();
    expect(gate.admit(CARD)).toEqual({ kind: 'refused', reason: 'too_soon' });
  });

  test('a button pressed down only is no press', async () => {
    const { clock, gate } = seenGate();
    await clock.advance(SEEN_MS);
    gate.input({ device: 'mouse', phase: 'down' });
    expect(gate.admit(CARD)).toEqual({ kind: 'refused', reason: 'no_input' });
    gate.input({ device: 'Space', phase: 'up' });
    expect(gate.admit(CARD)).toEqual({ kind: 'refused', reason: 'no_input' });
  });

  test('Enter counts when it goes down, and not a second time when it comes up', async () => {
    const { clock, gate } = seenGate();
    await clock.advance(SEEN_MS);
    gate.input({ device: 'Enter', phase: 'down' });
    expect(gate.admit(CARD)).toEqual({ kind: 'admitted' });
    gate.input({ device: 'Enter', phase: 'up' });
    expect(gate.admit(CARD)).toEqual({ kind: 'refused', reason: 'no_input' });
  });

  test('a window without a card admits nothing', async () => {
    const { clock, gate, press } = seenGate();
    gate.shown(null);
    await clock.advance(SEEN_MS);
    press();
    expect(gate.admit(CARD)).toEqual({ kind: 'refused', reason: 'other_card' });
  });
});

// The AI SDK with its provider for Cerebras against the gateway.

import assert from 'node:assert/strict';
import { createCerebras } from '@ai-sdk/cerebras';
import { APICallError, generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { ADDRESSED, ATTACK, BASE, CALLS, KEY, MODEL, PARAMETERS, REASONER, REDACTED, allAreOver, raised, run } from './common.mjs';

const cerebras = createCerebras({ baseURL: `${BASE}/v1`, apiKey: KEY });
const asked = (prompt, more) => ({ model: cerebras(MODEL), prompt, maxRetries: 0, ...more });
const generate = (prompt, more) => generateText(asked(prompt, more));

/** The same by way of a stream, with its errors thrown. */
async function streamed(prompt, more) {
  let failed;
  const onError = ({ error }) => (failed ??= error);
  const stream = streamText({ ...asked(prompt, more), onError });
  await stream.consumeStream({ onError: (error) => (failed ??= error) });
  if (failed) {
    throw failed;
  }
  const [text, reasoningText, finishReason, usage, steps, response] = await Promise.all([
    stream.text, stream.reasoningText, stream.finishReason, stream.usage, stream.steps, stream.response,
  ]);
  return { text, reasoningText, finishReason, usage, steps, response };
}

await run({
  async wholeAndStreamedAnswersAreRedacted() {
    for (const ask of [generate, streamed]) {
      const said = await ask(`chunk: 3 | ${ADDRESSED}`, { system: 'Be brief.' });
      assert.equal(said.text, REDACTED);
      assert.equal(said.finishReason, 'stop');
      assert.ok(said.usage.totalTokens > 0, JSON.stringify(said.usage));
    }
  },

  async manyAtOnce() {
    const numbers = Array.from({ length: 10 }, (_, number) => `number ${number}`);
    const answers = await Promise.all(numbers.map((number) => generate(`say: ${number}`)));
    assert.deepEqual(answers.map((answer) => answer.text), numbers);
  },

  async reasoningStandsBesideTheText() {
    for (const ask of [generate, streamed]) {
      const said = await ask('chunk: 2 | think: Let me see. | say: 42', { model: cerebras(REASONER) });
      assert.deepEqual([said.text, said.reasoningText], ['42', 'Let me see.']);
    }
  },

  // The second turn has the first one's reasoning and calls in it, as the SDK writes them.
  async toolsAreCalledAndAnswerInASecondTurnWithReasoning() {
    for (const model of [cerebras(MODEL), cerebras(REASONER)]) {
      for (const ask of [generate, streamed]) {
        const seen = [];
        const lookup = tool({
          description: 'Looks somebody up.',
          inputSchema: jsonSchema(PARAMETERS),
          execute: async ({ who }) => seen.push(who ?? 'nobody') && 'Ann, ann@example.org',
        });
        const said = await ask(CALLS, { model, tools: { lookup }, stopWhen: stepCountIs(3) });
        assert.deepEqual(seen, ['Zoë', 'nobody']);
        assert.equal(said.steps.length, 2);
        assert.equal(said.steps[0].reasoningText, 'Whom?');
        assert.ok(said.text, JSON.stringify(said.steps));
        const messages = [{ role: 'user', content: CALLS }, ...said.response.messages, { role: 'user', content: 'say: goodbye' }];
        const third = await ask(undefined, { model, tools: { lookup }, messages });
        assert.equal(third.text, 'goodbye');
      }
    }
  },

  async structuredOutputIsWhatWasAskedFor() {
    const schema = jsonSchema({ type: 'object', properties: { name: { type: 'string' } }, required: ['name'], additionalProperties: false });
    const said = await generateObject({ ...asked('say: {"name": "Zoë"}'), schema });
    assert.deepEqual(said.object, { name: 'Zoë' });
  },

  async errorsSayWhy() {
    for (const ask of [generate, streamed]) {
      const denied = await raised(ask(ATTACK));
      assert.ok(APICallError.isInstance(denied), String(denied));
      assert.equal(denied.statusCode, 403);
      assert.match(denied.message, /prompt injection/);
      assert.equal(denied.data.code, 'prompt-injection');
      assert.equal(denied.isRetryable, false);
      const missing = await raised(ask('say: hi', { model: cerebras('nothing') }));
      assert.deepEqual([missing.statusCode, missing.data.code], [404, 'model_not_found']);
    }
    const other = createCerebras({ baseURL: `${BASE}/v1`, apiKey: 'wrong' });
    const refused = await raised(generate('say: hi', { model: other(MODEL) }));
    assert.deepEqual([refused.statusCode, refused.data.code], [401, 'wrong_api_key']);
    for (const fault of ['error-mid-stream', 'cut']) {
      const broken = await raised(streamed('chunk: 3 | say: some words, and then no more', { model: cerebras(`${MODEL}+${fault}`) }));
      assert.ok(broken, fault);
    }
  },

  async oneThatStopsEarlyEndsItsExchange() {
    const stop = new AbortController();
    const stream = streamText({
      ...asked('chunk: 3 | say: a beginning, and then nothing for a while', { model: cerebras(`${MODEL}+stall`) }),
      abortSignal: stop.signal,
      onError: () => {},
    });
    for await (const piece of stream.textStream) {
      assert.ok(piece);
      stop.abort();
      break;
    }
    await allAreOver();
    assert.equal((await generate('say: still here')).text, 'still here');
  },
});

// OpenAI's SDK for Node.js against the gateway.

import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { ADDRESSED, ATTACK, BASE, CALLS, KEY, MODEL, PARAMETERS, REASONER, REDACTED, allAreOver, raised, run } from './common.mjs';

const clientWith = (options) => new OpenAI({ baseURL: `${BASE}/v1`, apiKey: KEY, maxRetries: 0, ...options });
const client = clientWith({});
const user = (content) => [{ role: 'user', content }];
const ask = (content, more) => client.chat.completions.create({ model: MODEL, messages: user(content), ...more });
const tools = [{ type: 'function', function: { name: 'lookup', parameters: PARAMETERS } }];

await run({
  async aWholeAnswerIsRedacted() {
    const answer = await ask(ADDRESSED);
    assert.equal(answer.choices[0].message.content, REDACTED);
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.ok(answer.usage.total_tokens > 0);
  },

  async aStreamedAnswerIsRedacted() {
    let said = '';
    let last;
    for await (const chunk of await ask(`chunk: 3 | ${ADDRESSED}`, { stream: true })) {
      said += chunk.choices[0]?.delta.content ?? '';
      last = chunk;
    }
    assert.equal(said, REDACTED);
    assert.equal(last.choices[0].finish_reason, 'stop');
    assert.ok(last.usage.total_tokens > 0);
  },

  async manyAtOnce() {
    const numbers = Array.from({ length: 10 }, (_, number) => `number ${number}`);
    const answers = await Promise.all(numbers.map((number) => ask(`say: ${number}`)));
    assert.deepEqual(answers.map((answer) => answer.choices[0].message.content), numbers);
  },

  async toolsAreCalledAndAnswerInASecondTurnWithReasoning() {
    const whole = async (asked) => (await client.chat.completions.create(asked)).choices[0].message;
    // The SDK's helper joins what it knows; reasoning it doesn't.
    const streamed = async (asked) => {
      const stream = client.chat.completions.stream(asked);
      let reasoning = '';
      stream.on('chunk', (chunk) => (reasoning += chunk.choices[0]?.delta.reasoning ?? ''));
      return { ...(await stream.finalChatCompletion()).choices[0].message, reasoning };
    };
    for (const model of [MODEL, REASONER]) {
      for (const asked of [whole, streamed]) {
        const messages = user(CALLS);
        const first = await asked({ model, tools, messages });
        assert.equal(first.reasoning, 'Whom?');
        assert.deepEqual(first.tool_calls.map((call) => JSON.parse(call.function.arguments)), [{ who: 'Zoë' }, {}]);
        // Only what the API takes goes back; the SDK adds members of its own.
        const { content, reasoning, tool_calls } = first;
        const calls = tool_calls.map(({ id, type, function: { name, arguments: said } }) => ({ id, type, function: { name, arguments: said } }));
        messages.push({ role: 'assistant', content, reasoning, tool_calls: calls });
        messages.push(...calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'Ann, ann@example.org' })));
        const second = await asked({ model, tools, messages });
        assert.ok(second.content && !second.tool_calls?.length, JSON.stringify(second));
        messages.push({ role: 'assistant', content: second.content }, ...user('think: Well. | say: goodbye'));
        const third = await asked({ model, tools, messages });
        assert.deepEqual([third.content, third.reasoning], ['goodbye', 'Well.']);
      }
    }
  },

  async toolsRunInTheHelper() {
    const seen = [];
    const lookup = { ...tools[0].function, parse: JSON.parse, function: ({ who }) => seen.push(who ?? 'nobody') && 'Ann' };
    const runner = client.chat.completions.runTools({
      model: MODEL,
      messages: user(CALLS.replace('think: Whom? | ', '')),
      tools: [{ type: 'function', function: lookup }],
    });
    assert.ok(await runner.finalContent());
    assert.deepEqual(seen, ['Zoë', 'nobody']);
  },

  async textCompletionsAreJudgedToo() {
    const asked = { model: MODEL, prompt: ADDRESSED };
    assert.equal((await client.completions.create(asked)).choices[0].text, REDACTED);
    let said = '';
    for await (const chunk of await client.completions.create({ ...asked, stream: true })) {
      said += chunk.choices[0]?.text ?? '';
    }
    assert.equal(said, REDACTED);
  },

  async modelsAreListed() {
    const known = [];
    for await (const model of client.models.list()) {
      known.push(model.id);
    }
    assert.ok(known.includes(MODEL) && known.includes('an-alias'), known.join());
    assert.equal((await client.models.retrieve(MODEL)).id, MODEL);
  },

  async errorsSayWhy() {
    for (const stream of [false, true]) {
      const denied = await raised(ask(ATTACK, { stream }));
      assert.ok(denied instanceof OpenAI.PermissionDeniedError, String(denied));
      assert.deepEqual([denied.code, denied.type], ['prompt-injection', 'policy_denied']);
      assert.match(denied.message, /prompt injection/);
      assert.match(denied.headers.get('x-witgate-policies'), /^prompt-injection=deny/);
      assert.equal(denied.requestID, denied.headers.get('x-request-id'));
    }
    for (const [asked, kind] of [
      [() => ask('say: hi', { model: 'nothing' }), OpenAI.NotFoundError],
      [() => ask('say: hi', { max_completion_tokens: -5 }), OpenAI.BadRequestError],
      [() => clientWith({ apiKey: 'wrong' }).models.list(), OpenAI.AuthenticationError],
      [() => client.embeddings.create({ model: MODEL, input: 'hi' }), OpenAI.BadRequestError],
    ]) {
      const error = await raised(asked());
      assert.ok(error instanceof kind, String(error));
    }
    for (const fault of ['error-mid-stream', 'cut']) {
      const stream = await ask('chunk: 3 | say: some words, and then no more', { model: `${MODEL}+${fault}`, stream: true });
      const error = await raised(Array.fromAsync(stream));
      assert.ok(error instanceof OpenAI.APIError, String(error));
    }
  },

  async oneThatStopsEarlyEndsItsExchange() {
    const text = 'chunk: 3 | say: a beginning, and then nothing for a while';
    for await (const chunk of await ask(text, { model: `${MODEL}+stall`, stream: true })) {
      assert.ok(chunk.id);
      break;
    }
    await allAreOver();
    assert.equal((await ask('say: still here')).choices[0].message.content, 'still here');
  },
});

import * as assert from 'uvu/assert'
import { systemClock } from '../../../server/clock.ts'
import { readBody } from '../../../server/dialects/epub/formats/read-body.ts'
import type { Format } from '../../../server/dialects/epub/formats/media-types.ts'
import { JsonText } from '../../../server/dialects/epub/formats/json-text.ts'
import { readJsonModel } from '../../../server/dialects/epub/formats/json-model.ts'
import { ModelState } from '../../../server/dialects/epub/formats/model-state.ts'
import { mutate } from '../../util/mutate.ts'
import { Random } from '../../util/random.ts'
import { suite } from '../../util/suite.ts'
import { echo, SYNCHRONIZE } from './echo.ts'
import { INSTANCE, OBJECTS, read, resultJson, resultXml, SAMPLE_REQUEST } from './reading.ts'

const test = suite('dialects/epub/hostile')

const SEED = Number(process.env.LECTERN_SEED ?? 20_261_121)
const ROUNDS = 400
const MIB = 1_048_576

/** What decides something in one of the forms. */
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  ',',
  ':',
  '/*',
  '*/',
  '//',
  '\\',
  '\\u',
  '\\ud800',
  'null',
  'NaN',
  '1e999',
  '-',
  '<',
  '>',
  '</',
  '/>',
  '&',
  '&lt;',
  '&#0;',
  '&x;',
  '<![CDATA[',
  ']]>',
  '<!--',
  '<!DOCTYPE a>',
  '<?x?>',
  ' xmlns="',
  'i:nil="true"',
  '=',
  '+',
  '%',
  '%ff',
  '.',
  '[0]',
  '[]',
  'index=',
  '__proto__',
  'constructor',
  '\u0000',
  '\ufeff',
  '😀',
  '0001-01-01',
  '/Date(1)/'
]

const SMALL =
  '{"Account":{"Email":"a","PageView":1},"Markings":[{"id":1,"syncGuid":"538b23c8-1b20-4bd3-a44e-53ae4a8bdc12","x":{"y":[1]}}],"LastSyncTimestamp":"2025-03-13T20:04:43.9577025-04:00"}'

async function seeds(): Promise<[Format, Uint8Array][]> {
  const { model } = await read(SMALL, 'json')
  const xml = `<d2p1:SynchronizationModel xmlns:i="${INSTANCE}" xmlns:d2p1="${OBJECTS}">${await resultXml(model, 'SynchronizationModel')}</d2p1:SynchronizationModel>`
  return [
    ['json', Buffer.from(SMALL)],
    ['json', Buffer.from("{a:'x',/*c*/Markings:[{note:'\\u00e9',},],Book:{categories:[{}]} // d\n}")],
    ['json', Buffer.from(SAMPLE_REQUEST)],
    ['xml', Buffer.from(xml)],
    [
      'form',
      Buffer.from('Account.Email=a%40b&Markings[0].note=x&Markings[0][type]=1&Markings.index=0&z[a][]=1&Book[title]=%F0%9F%98%80')
    ]
  ]
}

function mutated(body: Uint8Array, others: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes = body
  for (let count = 1 + random.below(3); count > 0; count--) {
    if (random.chance(0.5)) bytes = mutate(bytes, others, random)
    else {
      const at = random.below(bytes.length + 1)
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(TOKENS)), bytes.subarray(at + random.below(3))])
    }
  }
  return bytes
}

test('whatever a body holds, it comes to a model or to errors, and a model that has none is written and read again as itself', async () => {
  const random = new Random(SEED)
  const bodies = await seeds()
  const others = bodies.map(([, body]) => body)
  let valid = 0
  for (let round = 0; round < ROUNDS; round++) {
    const [format, body] = random.pick(bodies)
    const bytes = mutated(body, others, random)
    const what = `LECTERN_SEED=${SEED}, round ${round}: ${Buffer.from(bytes).toString('base64')}`
    const { model, errors, paths } = await read(bytes, random.chance(0.1) ? random.pick(bodies)[0] : format).catch(
      (error: unknown) => {
        throw new Error(what, { cause: error })
      }
    )
    assert.ok(
      paths.every(path => path === 'model' || path.startsWith('model.')),
      what
    )
    if (Object.keys(errors).length > 0 || model === null) continue
    valid += 1
    const json = await resultJson(model, 'SynchronizationModel')
    assert.type(JSON.parse(json), 'object', what)
    const again = await read(json, 'json')
    assert.equal([await resultJson(again.model, 'SynchronizationModel'), again.errors], [json, {}], what)
    const xml = await resultXml(model, 'SynchronizationModel')
    const fromXml = await read(
      `<d2p1:SynchronizationModel xmlns:i="${INSTANCE}" xmlns:d2p1="${OBJECTS}">${xml}</d2p1:SynchronizationModel>`,
      'xml'
    )
    assert.equal([fromXml.errors, await resultXml(fromXml.model, 'SynchronizationModel')], [{}, xml], what)
  }
  assert.ok(valid > ROUNDS / 20, `${valid} bodies stayed valid`)
})

test('bodies that would cost much are refused, or cost no more than reading them', async () => {
  const many = (count: number, text: (at: number) => string): string =>
    Array.from({ length: count }, (_, at) => text(at)).join('')
  const xml = (inner: string): string => `<SynchronizationModel xmlns="${OBJECTS}">${inner}</SynchronizationModel>`
  const refused: [what: string, format: Format, body: string, path: string][] = [
    ['lists in one another', 'json', '{"x":' + '['.repeat(2 * MIB), 'model'],
    ['257 lists in one another', 'json', `{"x":${'['.repeat(256)}${']'.repeat(256)}}`, 'model'],
    ['objects in one another', 'json', '{"a":'.repeat(MIB / 2), 'model'],
    ['a quarter of a million empty markings', 'json', `{"Markings":[${many(MIB / 4, () => '{},')}]}`, 'model'],
    ['a quarter of a million comments', 'json', `{${'/**/'.repeat(MIB / 4)}}`, 'model'],
    ['a comment without end', 'json', `{/*${'*'.repeat(4 * MIB)}`, 'model'],
    ['a string without end', 'json', `{"note":"${'\\"'.repeat(2 * MIB)}`, 'model'],
    ['a million lenient escapes', 'json', `{"x":"\\'${'\\n'.repeat(MIB)}"}`, 'model'],
    ['a member that is not known, of megabytes', 'json', `{"x":"${'x'.repeat(2 * MIB)}"}`, 'model'],
    ['a name of megabytes', 'json', `{"${'x'.repeat(2 * MIB)}":1}`, 'model'],
    ['1,000 members that are not known', 'json', `{${many(1_000, at => `"x${at}":1,`)}}`, 'model.x100'],
    ['what is no list, of megabytes', 'json', `{"Markings":{"a":"${'x'.repeat(2 * MIB)}"}}`, 'model'],
    ['elements in one another', 'xml', xml('<a>'.repeat(100_000)), 'model'],
    ['257 elements in one another', 'xml', xml('<a>'.repeat(256) + '</a>'.repeat(256)), 'model'],
    ['an eighth of a million elements side by side', 'xml', xml('<a/>'.repeat(MIB / 8)), 'model'],
    ['50,000 attributes', 'xml', xml(`<a ${many(50_000, at => `a${at}="" `)}/>`), 'model'],
    ['a tag without end', 'xml', `<${'x'.repeat(MIB)}`, 'model'],
    ['an element that is not known, of megabytes', 'xml', xml(`<a b="">${'x'.repeat(2 * MIB)}</a>`), `model.a`],
    ['1,000 elements that are not known', 'xml', xml(many(1_000, at => `<x${at}/>`)), 'model.x100'],
    [
      'a namespace of 2,000 characters, on 60 attributes of each element',
      'xml',
      xml(`<a xmlns:p="${'u'.repeat(2_000)}">${`<p:a ${many(60, at => `p:b${at}="" `)}/>`.repeat(2_000)}</a>`),
      'model'
    ],
    ['999 keys of 251 parts', 'form', many(999, at => `k${at}${'.a'.repeat(250)}=1&`), 'model'],
    ['a million keys', 'form', 'a=&'.repeat(MIB), 'model'],
    ['a key of megabytes', 'form', `${'a'.repeat(2 * MIB)}=1`, 'model'],
    ['a key of a million parts', 'form', `${'a.'.repeat(MIB)}=1`, 'model'],
    ['1,000 keys that are not known', 'form', many(999, at => `x${at}=1&`), 'model.x100']
  ]
  for (const [what, format, body, path] of refused) assert.is((await read(body, format)).paths[0], path, what)
  const escapes = await read(`{"Book":{"title":"${'\\"'.repeat(MIB)}"}}`, 'json')
  assert.equal([escapes.paths, escapes.model.Book.title.length], [[], MIB])
  const blanks = ' '.repeat(4 * MIB - 100)
  assert.equal((await read(`${blanks}{}`, 'json')).model, {})
  assert.equal((await read(`{"Book":{"ProductId":"${blanks}1"}}`, 'json')).paths, ['model.Book.ProductId'])
  assert.equal((await read(`{"Book":{"ProductId":${'9'.repeat(2 * MIB)}}}`, 'json')).paths, ['model.Book.ProductId'])
  assert.equal((await read(`{"Book":{"date":"${'0'.repeat(2 * MIB)}"}}`, 'json')).paths, ['model.Book.date'])
})

test('of a body with many errors a hundred are told', async () => {
  const { errors, model } = await read(`{"Markings":[${'{"id":"x"},'.repeat(5_000)}]}`, 'json')
  assert.is(Object.keys(errors).length, 100)
  assert.is(model.Markings.length, 5_000)
})

test('others have their turn while a large body is read', async () => {
  const bodies: [Format, string][] = [
    ['json', `{"Markings":[${'{"note":"x","id":1},'.repeat(25_000)}]}`],
    [
      'xml',
      `<SynchronizationModel xmlns="${OBJECTS}"><Markings>${'<position><id>1</id></position>'.repeat(15_000)}</Markings></SynchronizationModel>`
    ]
  ]
  for (const [format, body] of bodies) {
    let turns = 0
    let isDone = false
    const take = (): void => {
      turns += 1
      if (!isDone) setImmediate(take)
    }
    setImmediate(take)
    const reading = { format, charset: undefined, type: 'SynchronizationModel', parameter: 'model' } as const
    const { errors } = await readBody(Buffer.from(body), reading, systemClock)
    isDone = true
    assert.ok(errors.isValid)
    assert.ok(turns > 10, `${format}: ${turns} turns`)
  }
})

test('others are asked about their turn after so many characters, in however few members they come', () => {
  const members = Array.from({ length: 30 }, (_, at) => `"k${at}":[${"'',".repeat(8_000)}]`)
  let turns = 0
  for (const _ of readJsonModel(new JsonText(`{${members.join()}}`), 'position', new ModelState('model'))) turns += 1
  assert.ok(turns >= 30, `${turns} turns`)
})

test('large bodies from everywhere at once are answered, or told to come back, and those after them are answered', async context => {
  const { ask, logger } = await echo(context)
  const body = `{"Markings":[${'{"note":"x","id":1},'.repeat(1_000)}]}${' '.repeat(3 * MIB)}`
  const headers = { 'content-type': 'application/json' }
  const answers = await Promise.all(
    Array.from({ length: 12 }, () => ask('POST', SYNCHRONIZE, headers, body).then(({ status }) => status))
  )
  assert.ok(
    answers.every(status => status === 200 || status === 503),
    answers.join()
  )
  assert.ok(answers.includes(200))
  assert.is((await ask('POST', SYNCHRONIZE, headers, body)).status, 200)
  assert.equal(logger.lines, [])
})

test.run()

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'
import { gzipSync } from 'node:zlib'

const CATEGORIES = ['games1', 'films1', 'music1', 'chats1', 'other1']

/** A device of TimeLimit, on one connection that is kept: every body is gzipped, as the app does it. */
export class HouseholdClient {
  readonly #port: number
  readonly #token: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  #number = 0
  #pulling: Buffer | undefined

  constructor(port: number, token = 'a'.repeat(32)) {
    this.#port = port
    this.#token = token
  }

  /** Has the parent make a child with categories, which the other calls are about. @param deviceId this device */
  async setUp(deviceId: string, secondHash: string): Promise<void> {
    const { users } = (await this.#post('/sync/pull-status', this.#body({ status: EMPTY }))) as Whole
    const userId = users!.data[0]!.id
    const child = { type: 'ADD_USER', name: 'Kim', userType: 'child', userId: 'child1', timeZone: 'Europe/Berlin' }
    const made = CATEGORIES.map(categoryId => ({ type: 'CREATE_CATEGORY', childId: 'child1', categoryId, title: categoryId }))
    const actions = [child, ...made].map(action => {
      const encodedAction = JSON.stringify(action)
      const sequenceNumber = this.#number++
      const integrity = createHash('sha512').update(`${sequenceNumber}${deviceId}${secondHash}${encodedAction}`).digest('hex')
      return { encodedAction, sequenceNumber, integrity, type: 'parent', userId }
    })
    await this.#push(actions)
  }

  /** Counts a minute of use in one action, and waits until it is answered. @throws when it was not taken */
  async push(): Promise<void> {
    const sequenceNumber = this.#number++
    const i = [{ categoryId: CATEGORIES[sequenceNumber % CATEGORIES.length], tta: 1, etts: 0, as: [[0, 719]] }]
    const encodedAction = JSON.stringify({ type: 'ADD_USED_TIME_V2', d: 20_000, i, t: 1_700_000_000_000 })
    await this.#push([{ encodedAction, sequenceNumber, integrity: '', type: 'appLogic', userId: '' }])
  }

  /** Asks for what is new, where nothing is. @returns how many bytes that takes to say. @throws when there was something */
  async pull(): Promise<number> {
    if (this.#pulling === undefined) {
      const whole = (await this.#post('/sync/pull-status', this.#body({ status: EMPTY }))) as Whole
      this.#pulling = this.#body({ status: statusOf(whole) })
    }
    const answer = await this.#post('/sync/pull-status', this.#pulling)
    if ('devices' in answer || 'categoryBase' in answer) throw new Error('the server told what was known')
    return JSON.stringify(answer).length
  }

  close(): void {
    this.#agent.destroy()
  }

  async #push(actions: readonly object[]): Promise<void> {
    const answer = await this.#post('/sync/push-actions', this.#body({ actions }))
    if ((answer as { shouldDoFullSync?: boolean }).shouldDoFullSync !== false) throw new Error('a push was not taken')
  }

  #body(fields: object): Buffer {
    return gzipSync(JSON.stringify({ deviceAuthToken: this.#token, ...fields }))
  }

  async #post(path: string, body: Buffer): Promise<object> {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip', 'content-length': String(body.length) }
    const asked = request({ host: '127.0.0.1', port: this.#port, method: 'POST', path, agent: this.#agent, headers })
    asked.end(body)
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    let text = ''
    for await (const part of answer) text += String(part)
    if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text}`)
    return JSON.parse(text) as object
  }
}

const EMPTY = { devices: '', users: '', apps: {}, categories: {}, clientLevel: 8 }
const PARTS = { categoryBase: 'base', categoryApp: 'apps', rules: 'rules', usedTimes: 'usedTime', tasks: 'tasks' } as const

type Whole = {
  readonly users?: { readonly version: string; readonly data: readonly { readonly id: string }[] }
  readonly devices?: { readonly version: string }
  readonly u2f?: { readonly v: string }
  readonly dh?: { readonly v: string }
} & { readonly [Part in keyof typeof PARTS]?: readonly { readonly categoryId: string; readonly version: string }[] }

/** What a device that was told everything tells with its next pull. */
function statusOf(whole: Whole): object {
  const categories: Record<string, Record<string, string>> = {}
  for (const [part, name] of Object.entries(PARTS) as [keyof typeof PARTS, string][])
    for (const { categoryId, version } of whole[part] ?? []) (categories[categoryId] ??= {})[name] = version
  return {
    ...EMPTY,
    devices: whole.devices?.version ?? '',
    users: whole.users?.version ?? '',
    categories,
    ...(whole.u2f && { u2f: whole.u2f.v }),
    ...(whole.dh && { dh: whole.dh.v })
  }
}

import { createHash, createHmac, randomInt } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { HouseholdMirror, type ClientDataStatus } from './timelimit-mirror.ts'

/** What came of one request. */
export interface TimeLimitAnswer {
  readonly status: number
  readonly type: string | null
  readonly headers: Headers
  readonly text: string
  /** The body read as JSON; undefined when it is none. */
  readonly json: any
}

/** A user's password as this wire has it: hashes, of which the second is never told to a device. */
export interface Password {
  readonly hash: string
  readonly secondHash: string
  readonly secondSalt: string
}

/** Who acts, and what proves it. */
export interface Actor {
  readonly id: string
  readonly secondHash: string
}

/** How a parent's action shows that a parent made it. */
export type ParentProof = 'sha512' | 'password' | 'device' | 'childDevice'

/** An action as it is sent. */
export interface SentAction {
  readonly encodedAction: string
  readonly sequenceNumber: number
  readonly integrity: string
  readonly type: 'appLogic' | 'parent' | 'child'
  readonly userId: string
}

/** Any fields of an action; `type` is its kind. */
export type ActionBody = { readonly type: string } & Record<string, unknown>

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
const letters = (count: number): string => Array.from({ length: count }, () => LETTERS[randomInt(LETTERS.length)]).join('')

/** A new id of a user, category, rule, task or ping. */
export const newId = (): string => letters(6)

/** Hashes in the form of bcrypt's, of no password: the hub only compares them. */
export const newPassword = (): Password => ({
  hash: `$2a$12$${letters(53)}`,
  secondHash: `$2a$12$${letters(53)}`,
  secondSalt: `$2a$12$${letters(22)}`
})

const sha512 = (text: string): string => createHash('sha512').update(text).digest('hex')

/** The documented integrity of parents and children. */
export const sha512Integrity = (number: number, device: string, secondHash: string, encoded: string): string =>
  sha512(`${number}${device}${secondHash}${encoded}`)

/** The integrity by HMAC, which newer apps of parents send. */
export function hmacIntegrity(number: number, device: string, secondHash: string, encoded: string): string {
  const bytes = Buffer.from(encoded)
  const head = Buffer.alloc(8)
  head.writeBigUInt64BE(BigInt(number))
  const lengthOf = (part: Buffer): Buffer => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(part.length)
    return length
  }
  const id = Buffer.from(device)
  const signed = Buffer.concat([head, lengthOf(id), id, lengthOf(bytes), bytes])
  return `password:${createHmac('sha256', secondHash).update(signed).digest('base64')}`
}

/** What proves that a parent may be removed. */
export const removalProof = (user: Actor): string => sha512(`${user.id}${user.secondHash}remove`).slice(0, 16)

/** Sends a body as the app does: JSON, gzipped. A text or bytes go as they are. */
export async function post(
  url: string,
  path: string,
  body: unknown,
  { gzip = true, headers = {}, method = 'POST' }: { gzip?: boolean; headers?: Record<string, string>; method?: string } = {}
): Promise<TimeLimitAnswer> {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array || body === undefined
  const bytes = isRaw ? body : JSON.stringify(body)
  const response = await fetch(url + path, {
    method,
    headers: { 'content-type': 'application/json', ...(gzip && !isRaw && { 'content-encoding': 'gzip' }), ...headers },
    ...(bytes !== undefined && { body: gzip && !isRaw ? gzipSync(bytes, { level: 1 }) : bytes })
  })
  const text = await response.text()
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  const { status, headers: told } = response
  return { status, type: told.get('content-type'), headers: told, text, json }
}

/** Says that an answer is an error's: the status alone counts, and the body is a page. */
export function isError({ status, type, json, text }: TimeLimitAnswer, expected: number, what = ''): void {
  assert.is(status, expected, `${what} ${text.slice(0, 200)}`)
  assert.match(type ?? '', /^text\/html; charset=utf-8$/i)
  assert.is(json, undefined)
}

/** One device of a family: its token, the numbers of its actions, and what it holds of the household. */
export class TimeLimitDevice {
  url: string
  token: string
  readonly id: string
  /** Of the next action; it never goes back. */
  nextNumber = 0
  mirror: HouseholdMirror

  constructor(url: string, token: string, id: string, level?: number) {
    this.url = url
    this.token = token
    this.id = id
    this.mirror = new HouseholdMirror(level)
  }

  /** Asks with this device's token in the body. */
  ask(path: string, fields: Record<string, unknown> = {}, options: Parameters<typeof post>[3] = {}): Promise<TimeLimitAnswer> {
    return post(this.url, path, { deviceAuthToken: this.token, ...fields }, options)
  }

  /** An action of the app itself, with the next number. */
  appLogic(body: ActionBody): SentAction {
    return { encodedAction: JSON.stringify(body), sequenceNumber: this.nextNumber++, integrity: '', type: 'appLogic', userId: '' }
  }

  /** An action of a parent, or of a child that limits itself, with the next number. */
  parent(actor: Actor, body: ActionBody, proof: ParentProof = 'sha512'): SentAction {
    const encodedAction = JSON.stringify(body)
    const sequenceNumber = this.nextNumber++
    const sign = proof === 'password' ? hmacIntegrity : sha512Integrity
    const integrity =
      proof === 'device' || proof === 'childDevice' ? proof : sign(sequenceNumber, this.id, actor.secondHash, encodedAction)
    return { encodedAction, sequenceNumber, integrity, type: 'parent', userId: actor.id }
  }

  child(actor: Actor, body: ActionBody): SentAction {
    return { ...this.parent(actor, body), type: 'child' }
  }

  /** Sends actions. @returns whether a full sync is asked for */
  async push(...actions: readonly SentAction[]): Promise<boolean> {
    const { status, json, text } = await this.ask('/sync/push-actions', { actions })
    assert.is(status, 200, text)
    assert.equal(Object.keys(json), ['shouldDoFullSync'])
    return json.shouldDoFullSync
  }

  /** Sends actions that are all expected to take effect. */
  async act(...actions: readonly SentAction[]): Promise<void> {
    assert.is(await this.push(...actions), false, `refused: ${actions.map(({ encodedAction }) => encodedAction).join(' ')}`)
  }

  /** Asks for what is new, and takes it in. @returns the answer */
  async pull(): Promise<any> {
    const answer = await this.pullWith(this.mirror.status())
    this.mirror.merge(answer)
    return answer
  }

  async pullWith(status: ClientDataStatus): Promise<any> {
    const { status: code, json, text } = await this.ask('/sync/pull-status', { status })
    assert.is(code, 200, text)
    return json
  }

  /** Everything, as a device that holds nothing is told it. */
  async pullAll(level?: number): Promise<HouseholdMirror> {
    const mirror = new HouseholdMirror(level)
    mirror.merge(await this.pullWith(mirror.status()))
    return mirror
  }
}

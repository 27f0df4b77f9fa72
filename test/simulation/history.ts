import { decodeFrame, decodeValues, encodeValue, type Frame, type Plain, type WireChange } from '../../protocol/index.ts'
import type { Batch } from '../../server/core/store.ts'

/** Whose a session is. */
export interface Party {
  readonly account: string
  readonly device: string
  readonly client: string
}

/** An action that an app's storage holds: its number, and what is to come of it in the log. */
export type KeptAction = readonly [number: number, content: string]

/** One thing that happened, in the order in which it did. */
export type Happening = { readonly atMs: number } & (
  | { readonly is: 'dialled'; readonly session: number; readonly party: Party }
  | {
      readonly is: 'sent' | 'arrived'
      readonly session: number
      /** Which end sent it. */
      readonly by: 'hub' | 'client'
      readonly frame: Frame | undefined
      readonly bytes: Uint8Array
      /** What the sender holds unsent. */
      readonly bufferedBytes: number
    }
  | { readonly is: 'closed'; readonly session: number; readonly at: 'hub' | 'client'; readonly code: number }
  | { readonly is: 'flushed'; readonly changes: readonly (readonly [account: string, change: WireChange])[] }
  | { readonly is: 'trimmed'; readonly account: string; readonly floor: number }
  | { readonly is: 'hub'; readonly did: 'start' | 'close' | 'closed' | 'crash' | 'crash in a commit' }
  | { readonly is: 'revoking' | 'revoked'; readonly account: string; readonly device: string }
  | { readonly is: 'kept'; readonly party: Party; readonly actions: readonly KeptAction[]; readonly erased: readonly number[] }
  | { readonly is: 'restored'; readonly party: Party; readonly actions: readonly KeptAction[] }
  | { readonly is: 'fault'; readonly what: string }
  | { readonly is: 'step'; readonly what: string }
)

type Told = Happening extends infer H ? (H extends Happening ? Omit<H, 'atMs'> : never) : never

/** All that happened in a run: what the promises are checked against. */
export class History {
  readonly happenings: Happening[] = []
  /** The log of each account, as the disk has it. */
  readonly logs = new Map<string, WireChange[]>()
  readonly parties = new Map<number, Party>()
  readonly #prints = new WeakMap<WireChange, string>()
  readonly #nowMs: () => number
  readonly #frames = new WeakMap<Uint8Array, Frame>()
  #low = 0x811c9dc5
  #high = 0x1b873593

  /** What one byte counted as. @see Weather */
  readonly weight: number

  constructor(nowMs: () => number, weight: number) {
    this.#nowMs = nowMs
    this.weight = weight
  }

  add(told: Told): void {
    const happening = { ...told, atMs: this.#nowMs() } as Happening
    this.happenings.push(happening)
    this.#digest(happening)
  }

  frame(is: 'sent' | 'arrived', session: number, by: 'hub' | 'client', bytes: Uint8Array, bufferedBytes: number): void {
    this.add({ is, session, by, frame: this.#decoded(bytes, by), bytes, bufferedBytes })
  }

  dialled(session: number, party: Party): void {
    this.parties.set(session, party)
    this.add({ is: 'dialled', session, party })
  }

  flushed({ appends }: Batch): void {
    const changes: [string, WireChange][] = []
    for (const { account, runs } of appends)
      for (const { run } of runs)
        for (const change of decodeValues(run) as unknown as WireChange[]) changes.push([account, change])
    for (const [account, change] of changes) {
      const log = this.logs.get(account) ?? []
      this.logs.set(account, log)
      if (change[0] !== log.length + 1)
        this.add({ is: 'fault', what: `the disk got change ${change[0]} of ${account} behind ${log.length}` })
      log[change[0] - 1] = change
    }
    this.add({ is: 'flushed', changes })
  }

  /** A change as a text that is the same for the same change. */
  readonly printOf = (change: WireChange): string => {
    let print = this.#prints.get(change)
    if (print === undefined) this.#prints.set(change, (print = Buffer.from(encodeValue(change)).toString('latin1')))
    return print
  }

  /** What an action asks for, as its change says it: of an annotation, only which document it is in; of a file, what both of them say. */
  readonly contentOf = (kind: string, key: string, body: Plain): string => {
    if (kind.startsWith('annotation.')) return `annotation ${key}`
    const asked = askedOfFile(kind, key, body) ?? [kind, key, body]
    return Buffer.from(encodeValue(asked)).toString('latin1')
  }

  /** The same for the same history. */
  get hash(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0')
  }

  #decoded(bytes: Uint8Array, by: 'hub' | 'client'): Frame | undefined {
    const known = this.#frames.get(bytes)
    if (known !== undefined) return known
    try {
      const frame = by === 'hub' ? decodeFrame(bytes, 'hub') : decodeFrame(bytes, 'client')
      this.#frames.set(bytes, frame)
      return frame
    } catch {
      return undefined
    }
  }

  #digest(happening: Happening): void {
    this.#mix(Math.round(happening.atMs * 1_000))
    for (const [name, value] of Object.entries(happening)) {
      // What arrives is what was sent.
      if (value instanceof Uint8Array && happening.is === 'arrived') this.#mix(value.length)
      else if (value instanceof Uint8Array) for (let index = 0; index < value.length; index++) this.#mix(value[index]!)
      else if (typeof value === 'number') this.#mix(Math.round(value))
      else if (typeof value === 'string') for (let index = 0; index < value.length; index++) this.#mix(value.charCodeAt(index))
      else if (name === 'changes' || name === 'actions' || name === 'erased') this.#mix((value as unknown[]).length)
    }
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193)
    this.#high = Math.imul(this.#high ^ value, 0x85ebca6b) ^ (this.#low >>> 15)
  }
}

/** An action of files, or what became of one, as the action. */
function askedOfFile(kind: string, key: string, body: Plain): Plain | undefined {
  const fields = body as { base?: string; client?: { [name: string]: Plain } | null; to?: string; sha256?: string; keep?: string }
  if (kind === 'file.conflict' && fields.client === null) return ['file.remove', key, { base: fields.base! }]
  if (kind === 'file.conflict')
    return ['file.put', key, { ...fields.client, ...(fields.base !== undefined && { base: fields.base }) }]
  if (kind === 'file.move') return ['file.move', key, { to: fields.to!, base: fields.base ?? fields.sha256! }]
  return kind === 'conflict.resolve' ? [kind, key, { keep: fields.keep! }] : undefined
}

import { refuse } from './refuse.ts'

/** In whose name an action is done. */
export type Actor = 'appLogic' | 'parent' | 'child' | 'hub'

/** How urgently a device is told to sync: not at all, when it is used, at once. */
export type Level = 0 | 1 | 2

/** Whom an action concerns beside its sender. */
export interface Told {
  /** All other devices of the family. */
  readonly others: Level
  /** Some of them more than the others. */
  readonly devices: ReadonlyMap<string, Level>
}

/** Who does an action, and what comes of it beside its effect on the records. */
export class Acting {
  readonly actor: Actor
  /** The device that sent it. */
  readonly device: string
  /** The parent or the child; empty for the device itself. */
  readonly user: string
  /** A child limits itself, and may do nothing but that. */
  readonly isSelfLimit: boolean
  /** A part of the action was passed over: its sender has to look at everything again. */
  needsFullSync = false
  #others: Level = 0
  readonly #devices = new Map<string, Level>()

  constructor(actor: Actor, device: string, user: string, isSelfLimit: boolean) {
    this.actor = actor
    this.device = device
    this.user = user
    this.isSelfLimit = isSelfLimit
  }

  get told(): Told {
    return { others: this.#others, devices: this.#devices }
  }

  /** Tells all other devices, at least so urgently. */
  tell(level: Level): void {
    if (level > this.#others) this.#others = level
  }

  tellDevice(device: string, level: Level): void {
    if (level > (this.#devices.get(device) ?? 0)) this.#devices.set(device, level)
  }

  /** @throws HubError `forbidden` when a child would change what is another's */
  mustBeOwn(child: string): void {
    if (this.isSelfLimit && child !== this.user) refuse('forbidden', 'a child limits nobody but itself')
  }

  /** @throws HubError `forbidden` when a child would loosen its limits */
  mustTighten(isTighter: boolean): void {
    if (this.isSelfLimit && !isTighter) refuse('forbidden', 'a child may tighten its limits, and not loosen them')
  }
}

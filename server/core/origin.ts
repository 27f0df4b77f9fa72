import { encodeName } from '../../protocol/index.ts'
import type { Actor } from './policy.ts'

/** Who an action comes from. Made once for each session; its names are made ready for the log by the first action, as most sessions only listen. */
export class Origin {
  readonly device: string
  readonly client: string
  readonly actor: Actor
  #deviceName: Uint8Array | undefined
  #clientName: Uint8Array | undefined

  constructor(device: string, client: string, actor: Actor = 'writer') {
    this.device = device
    this.client = client
    this.actor = actor
  }

  get deviceName(): Uint8Array {
    return (this.#deviceName ??= encodeName(this.device))
  }

  get clientName(): Uint8Array {
    return (this.#clientName ??= encodeName(this.client))
  }
}

/** The operator acts without a device's token; the log names it so. */
export const OPERATOR = new Origin('hub', 'operator', 'operator')

import { encodeName } from '../../protocol/index.ts'
import type { Actor } from './policy.ts'

/** Who an action comes from. Made once for each session, with its names ready to be written into the log. */
export class Origin {
  readonly device: string
  readonly client: string
  readonly actor: Actor
  readonly deviceName: Uint8Array
  readonly clientName: Uint8Array

  constructor(device: string, client: string, actor: Actor = 'writer') {
    this.device = device
    this.client = client
    this.actor = actor
    this.deviceName = encodeName(device)
    this.clientName = encodeName(client)
  }
}

/** The operator acts without a device's token; the log names it so. */
export const OPERATOR = new Origin('hub', 'operator', 'operator')

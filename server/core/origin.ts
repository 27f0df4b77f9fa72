import { encodeName } from '../../protocol/index.ts'

/** Who an action comes from. Made once for each session, with its names ready to be written into the log. */
export class Origin {
  readonly device: string
  readonly client: string
  readonly readOnly: boolean
  readonly deviceName: Uint8Array
  readonly clientName: Uint8Array

  constructor(device: string, client: string, readOnly = false) {
    this.device = device
    this.client = client
    this.readOnly = readOnly
    this.deviceName = encodeName(device)
    this.clientName = encodeName(client)
  }
}

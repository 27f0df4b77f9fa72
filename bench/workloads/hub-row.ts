import { ServerProcess } from '../server-process.ts'

/** What `servers/hub.ts` says when it is up: a token for each device of each account. */
export interface HubReady {
  readonly port: number
  readonly path: string
  readonly tokens: readonly (readonly string[])[]
}

export const startHub = (folder: string, accounts: number, devices: number): Promise<ServerProcess<HubReady>> =>
  ServerProcess.start<HubReady>('hub.ts', { folder, accounts, devices })

/** Ends the hub as `npm start` would, for a store that is opened again. */
export async function stopHub(server: ServerProcess<HubReady>): Promise<void> {
  await server.ask({ ask: 'close' })
  await server.stop()
}

import type { HttpApp } from '../transports/http.ts'

const TEXT = `This is Lectern, a self-hosted, real-time sync hub for reading libraries.

There is nothing to see here: reading apps and devices connect to /live, by WebSocket.
How to sign a device in, and what else this hub answers, is in Lectern's README.
`

/** `GET /`: tells a person who typed the hub's address into a browser what it is. */
export function mountHome(app: HttpApp): void {
  app.get('/', context => context.text(TEXT))
}

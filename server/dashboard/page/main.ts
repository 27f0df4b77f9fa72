import { connect, type Client, type ClientStorage, type SignedIn } from '../../../client/index.ts'
import { ClosedWindows } from './closed-windows.ts'
import { Dashboard } from './dashboard.ts'
import { forget, keep, kept, openStorage, type Kept } from './kept.ts'
import { Screen } from './screen.ts'
import { SignInView } from './sign-in.ts'
import { said } from './words.ts'

const NOT_KEPT =
  'This browser keeps nothing for this page, such as in a private window: its sign-in, and what was not sent, end with the window.'

const screen = new Screen()

/** Shows the library that this browser is signed in to. */
async function open(signedIn: Kept, problem: string): Promise<void> {
  const { token } = signedIn
  const connected = (storage: ClientStorage): Promise<Client> =>
    connect({ url: location.origin, token, storage, agent: 'lectern-dashboard' })
  const client = await connected(await openStorage(signedIn))
  const closedWindows = new ClosedWindows(signedIn, connected)
  const leave = (why: string): void => {
    void Promise.allSettled([client.close(), closedWindows.close()]).then(() => {
      forget(signedIn)
      ask(why)
    })
  }
  const dashboard = new Dashboard(client, closedWindows, token, screen, leave, problem)
  screen.show(dashboard)
  // A window that lost its connection may have been closed before it had one again.
  client.on('state', state => {
    if (state === 'live') closedWindows.send(dashboard.refused).catch((error: unknown) => console.error(error))
  })
}

function ask(why = ''): void {
  screen.show(
    new SignInView(screen.redraw, why, (signedIn: SignedIn) => {
      start(signedIn, keep(signedIn) ? '' : NOT_KEPT)
    })
  )
}

function start(signedIn: Kept, problem = ''): void {
  open(signedIn, problem).catch((error: unknown) => ask(said(error)))
}

const known = kept()
if (known === undefined) ask()
else start(known)

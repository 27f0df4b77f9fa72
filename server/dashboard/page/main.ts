import { connect, type Client, type ClientStorage, type SignedIn } from '../../../client/index.ts'
import { Dashboard } from './dashboard.ts'
import { forget, keep, kept, openStorage, unsentStorages, type Kept } from './kept.ts'
import { Screen } from './screen.ts'
import { SignInView } from './sign-in.ts'
import { said } from './words.ts'

const NOT_KEPT =
  'This browser keeps nothing for this page, such as in a private window: its sign-in, and what was not sent, end with the window.'

const screen = new Screen()

const clientOf = ({ token }: Kept, storage: ClientStorage): Promise<Client> =>
  connect({ url: location.origin, token, storage, agent: 'lectern-dashboard' })

/** Shows the library that this browser is signed in to. */
async function open(signedIn: Kept, problem: string): Promise<void> {
  const client = await clientOf(signedIn, await openStorage(signedIn))
  const leave = (why: string): void => {
    const left = (): void => {
      forget(signedIn)
      ask(why)
    }
    client.close().then(left, left)
  }
  const dashboard = new Dashboard(client, signedIn.token, screen, leave, problem)
  screen.show(dashboard)
  // A window that lost its connection may have been closed before it had one again.
  client.on('state', state => {
    if (state === 'live') sendLeft(signedIn, dashboard).catch((error: unknown) => console.error(error))
  })
}

/** Sends what was asked for in windows that are closed: perhaps nobody opens as many again, and it would stay there. */
async function sendLeft(signedIn: Kept, dashboard: Dashboard): Promise<void> {
  for (const storage of await unsentStorages(signedIn)) {
    const client = await clientOf(signedIn, storage)
    const end = (): void => void client.close().catch((error: unknown) => console.error(error))
    client.on('refused', dashboard.refused)
    client
      .live()
      .then(() => client.settled())
      .then(end, end)
  }
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

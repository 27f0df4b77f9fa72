import { connect, type SignedIn } from '../../../client/index.ts'
import { Dashboard } from './dashboard.ts'
import { forget, keep, kept, openStorage, type Kept } from './kept.ts'
import { Screen } from './screen.ts'
import { SignInView } from './sign-in.ts'
import { said } from './words.ts'

const screen = new Screen()

/** Shows the library that this browser is signed in to. */
async function open(signedIn: Kept): Promise<void> {
  const client = await connect({
    url: location.origin,
    token: signedIn.token,
    storage: await openStorage(signedIn),
    agent: 'lectern-dashboard'
  })
  const leave = (why: string): void => {
    const left = (): void => {
      forget(signedIn)
      ask(why)
    }
    client.close().then(left, left)
  }
  screen.show(new Dashboard(client, signedIn.token, screen, leave))
}

function ask(why = ''): void {
  screen.show(
    new SignInView(screen.redraw, why, (signedIn: SignedIn) => {
      keep(signedIn)
      start(signedIn)
    })
  )
}

function start(signedIn: Kept): void {
  open(signedIn).catch((error: unknown) => ask(said(error)))
}

const known = kept()
if (known === undefined) ask()
else start(known)

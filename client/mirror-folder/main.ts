import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { HubError } from '../../protocol/index.ts'
import { addressAt } from '../hub-http.ts'
import { connectNode, pair, StorageTakenError, type State } from '../node.ts'
import { isOffline } from './conflicts.ts'
import { writeWhole } from './disk.ts'
import { FolderMirror } from './mirror.ts'
import { OWN_FOLDER } from './names.ts'
import { openRoot } from './root.ts'
import { Teller } from './say.ts'

/** What the command was given, as `server/main.ts` passes it on. */
interface Words {
  readonly folder: string
  readonly hub?: string
  readonly code?: string
  readonly name?: string
  readonly once?: boolean
  readonly removeMany?: boolean
}

/** As everywhere in the CLI. */
const EXIT = { done: 0, failed: 1, refused: 2 } as const
/** A single run waits for no hub that is away. */
const REACHED_WITHIN_MS = 60_000
const ASKED_WITHIN_MS = 10_000

async function main(words: Words): Promise<number> {
  const root = openRoot(words.folder)
  const { url, token, isPaired } = await signedIn(root, words)
  const client = await connectNode({ url, token, file: join(root, OWN_FOLDER, 'client'), agent: 'lectern mirror' })
  const mirror = await FolderMirror.open({ root, client, allowsManyRemovals: words.removeMany === true })
  const teller = new Teller(mirror, process.stdout)
  let isStopped = false
  const stop = (): void => {
    isStopped = true
    // What a second signal asks for is an end at once: whatever is under way goes on with the next start.
    process.once('SIGINT', () => process.exit(EXIT.failed))
    void mirror.stop()
    void client.close()
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  // Whoever started this process was killed.
  process.once('disconnect', stop)
  let said: State | undefined
  let isBegun = false
  /** Once when a connection is lost, however often it is tried again, and once when it is there. */
  const tell = (state: State): void => {
    if ((state !== 'offline' && state !== 'live') || state === said) return
    if (state === 'live') teller.say(isBegun ? 'Connected again.' : `Mirrors ${root} and ${url}.`)
    else if (!isStopped && words.once !== true) teller.say(`No connection to ${url}; it is tried again and again.`)
    isBegun ||= state === 'live'
    said = state
  }
  if (words.code !== undefined && !isPaired) {
    const name = client.devices.get(client.device)?.name ?? client.device
    teller.say(`signed in already${name === '' ? '' : ` as ${name}`}; the code was not used`)
  }
  client.on('state', tell)
  tell(client.state)
  try {
    if (words.once === true) await onlyOnce(mirror, client.live(), url)
    else await mirror.run()
    return mirror.problems.size + mirror.heldCount > 0 && words.once === true ? EXIT.failed : EXIT.done
  } catch (error) {
    if (isStopped) return EXIT.done
    throw error
  } finally {
    teller.end()
    await mirror.stop()
    await client.close()
  }
}

async function onlyOnce(mirror: FolderMirror, live: Promise<void>, url: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${url} cannot be reached`)), REACHED_WITHIN_MS)
  })
  try {
    await Promise.race([live, late])
  } finally {
    clearTimeout(timer)
  }
  await mirror.once()
}

/**
 * Where the hub is, and a token for it: from the environment, from an earlier start, or for a pairing code, and then kept for the next start. A code that is given
 * at every start is looked at only when it is needed.
 */
async function signedIn(root: string, { hub, code, name }: Words): Promise<{ url: string; token: string; isPaired?: true }> {
  const place = join(root, OWN_FOLDER, 'token')
  const kept = await readFile(place, 'utf8').then(
    text => JSON.parse(text) as { url: string; token: string },
    () => undefined
  )
  const url = hub ?? kept?.url
  if (url === undefined) throw new HubError('bad-request', 'say where the hub is with --hub or LECTERN_HUB')
  if (!URL.canParse(url))
    throw new HubError('bad-request', `--hub: expected an address such as http://127.0.0.1:4747, not "${url}"`)
  if (code?.startsWith('lectern_') === true)
    throw new HubError('bad-request', '--code: this is a token; give it as LECTERN_TOKEN')
  const given = process.env['LECTERN_TOKEN']
  if (given !== undefined && given !== '') return { url, token: given }
  if (kept?.url === url && (code === undefined || (await isLetIn(kept)))) return kept
  if (code === undefined)
    throw new HubError(
      'bad-request',
      'give a pairing code with --code (npx lectern device pair NAME makes one), or a token as LECTERN_TOKEN'
    )
  const device = { name: name ?? `Folder on ${hostname()}`, app: 'lectern mirror' }
  const { token } = await pair({ url, code, ...device }).catch((error: unknown) => {
    throw isOffline(error) ? new Error(`${url} cannot be reached`, { cause: error }) : error
  })
  await writeWhole(place, `${JSON.stringify({ url, token })}\n`)
  return { url, token, isPaired: true }
}

/** False only when the hub says that it is not: what cannot be asked now may hold. */
async function isLetIn({ url, token }: { url: string; token: string }): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` }
  return fetch(addressAt(url, '/api/v1/sync/devices'), { headers, signal: AbortSignal.timeout(ASKED_WITHIN_MS) }).then(
    ({ status }) => status !== 401 && status !== 403,
    () => true
  )
}

main(JSON.parse(process.argv[2] ?? '{}') as Words).then(
  code => process.exit(code),
  (error: unknown) => {
    const isTaken = error instanceof StorageTakenError
    const text = isTaken ? 'another lectern mirror keeps this folder already; end that one first' : (error as Error).message
    process.stderr.write(`lectern: ${text}\n`)
    const isRefused = error instanceof HubError || isTaken
    process.exit(isRefused ? EXIT.refused : EXIT.failed)
  }
)

import { HocuspocusProvider } from '@hocuspocus/provider'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT } from '../../../protocol/index.ts'
import { connectNode, type Client } from '../../../client/node.ts'
import { register, servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'

const test = suite('server/yjs/providers')

const BOOK = 'moby-dick'

interface Provider {
  readonly doc: Y.Doc
  /** Resolves with the code of the next close. */
  closed(): Promise<number>
  states(): Map<number, Record<string, unknown>>
  setState(state: Record<string, unknown>): void
  destroy(): void
}

type Wire = 'y-websocket' | 'hocuspocus'

const WIRES: readonly Wire[] = ['y-websocket', 'hocuspocus']

const socketUrl = (hub: TestServingHub): string => hub.url.replace('http', 'ws')

/** The unmodified package's own provider. */
function open(
  { defer }: TestContext,
  wire: Wire,
  hub: TestServingHub,
  token: string,
  doc = new Y.Doc(),
  name = `book/${BOOK}`
): Provider {
  const provider = wire === 'y-websocket' ? openYWebsocket(hub, token, doc, name) : openHocuspocus(hub, token, doc, name)
  defer(() => {
    provider.destroy()
    doc.destroy()
  })
  return provider
}

function openYWebsocket(hub: TestServingHub, token: string, doc: Y.Doc, name: string): Provider {
  const provider = new WebsocketProvider(`${socketUrl(hub)}/yjs`, name, doc, {
    params: { token },
    WebSocketPolyfill: WebSocket as never,
    disableBc: true
  })
  return {
    doc,
    closed: () => new Promise(resolve => provider.once('connection-close', event => resolve((event as { code: number }).code))),
    states: () => provider.awareness.getStates(),
    setState: state => provider.awareness.setLocalState(state),
    destroy: () => provider.destroy()
  }
}

function openHocuspocus(hub: TestServingHub, token: string, doc: Y.Doc, name: string): Provider {
  const provider = new HocuspocusProvider({
    url: `${socketUrl(hub)}/hocuspocus`,
    name,
    document: doc,
    token,
    WebSocketPolyfill: WebSocket
  } as never)
  return {
    doc,
    closed: () => new Promise(resolve => provider.on('close', ({ event }: { event: { code: number } }) => resolve(event.code))),
    states: () => provider.awareness!.getStates(),
    setState: state => provider.awareness!.setLocalState(state),
    destroy: () => provider.destroy()
  }
}

const notesOf = (doc: Y.Doc): Y.Map<Y.Map<unknown>> => doc.getMap(ANNOTATION_DOCUMENT.root)

function textOf(doc: Y.Doc, id: string): string {
  const text = notesOf(doc).get(id)?.get(ANNOTATION_DOCUMENT.textField)
  return text instanceof Y.Text ? text.toJSON() : ''
}

function highlight(doc: Y.Doc, id: string, color: string): void {
  doc.transact(() => {
    const fields = new Y.Map<unknown>()
    notesOf(doc).set(id, fields)
    fields.set('kind', 'highlight')
    fields.set('color', color)
  })
}

/** Waits until something is so, looking at every change of these documents and at every turn of an awareness. */
function until(docs: readonly Y.Doc[], isSo: () => boolean): Promise<void> {
  return new Promise(resolve => {
    const look = (): void => {
      if (!isSo()) return
      for (const doc of docs) doc.off('update', look)
      clearInterval(timer)
      resolve()
    }
    const timer = setInterval(look, 10)
    for (const doc of docs) doc.on('update', look)
    look()
  })
}

async function sdk({ defer }: TestContext, hub: TestServingHub, token: string): Promise<Client> {
  const client = await connectNode({ url: hub.url, token })
  defer(() => client.close())
  await client.live()
  return client
}

async function reader(context: TestContext): Promise<{ hub: TestServingHub; tokens: string[]; readOnly: string }> {
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount('reader')
  const tokens: string[] = []
  for (const name of ['phone', 'desk', 'tablet']) tokens.push((await register(account, name)).token)
  return { hub, tokens, readOnly: (await register(account, 'wall', true)).token }
}

for (const wire of WIRES) {
  test(`${wire}: an edit reaches the SDK's session and the plain view, and the other way round`, async context => {
    const { hub, tokens } = await reader(context)
    const provider = open(context, wire, hub, tokens[0]!)
    const client = await sdk(context, hub, tokens[1]!)
    const notes = await client.annotations(BOOK)
    highlight(provider.doc, 'one', 'yellow')
    await until([notes.doc, provider.doc], () => notes.get('one')?.color === 'yellow')
    notes.put({ id: 'one', color: 'blue' })
    notes.put({ id: 'two', kind: 'highlight', quote: 'Call me Ishmael.' })
    await until(
      [provider.doc],
      () => notesOf(provider.doc).get('one')?.get('color') === 'blue' && notesOf(provider.doc).has('two')
    )
    await client.settled()
    const view = (await client.read('annotations', BOOK)) as [string, { color?: string }][]
    assert.equal(
      view.map(([id, { color }]) => [id, color]),
      [
        ['one', 'blue'],
        ['two', undefined]
      ]
    )
  })

  test(`${wire}: what was edited offline, with thousands of deletions, is taken in and known again`, async context => {
    const { hub, tokens } = await reader(context)
    const doc = new Y.Doc()
    highlight(doc, 'one', 'yellow')
    const text = new Y.Text()
    notesOf(doc).get('one')!.set(ANNOTATION_DOCUMENT.textField, text)
    for (let index = 0; index < 3_000; index++) text.insert(0, 'ab')
    for (let index = 0; index < 3_000; index++) text.delete(index, 1)
    const first = open(context, wire, hub, tokens[0]!, doc)
    const other = open(context, wire, hub, tokens[1]!)
    const shown = (): string => textOf(other.doc, 'one')
    const wanted = (): string => textOf(doc, 'one')
    await until([other.doc], () => shown() === wanted())
    first.destroy()
    text.insert(0, 'again ')
    open(context, wire, hub, tokens[0]!, doc)
    await until([other.doc], () => shown() === wanted())
    assert.is(shown().slice(0, 6), 'again ')
  })

  test(`${wire}: a device that may only read sees every edit, and none of its own is taken`, async context => {
    const { hub, tokens, readOnly } = await reader(context)
    const writer = open(context, wire, hub, tokens[0]!)
    const wall = open(context, wire, hub, readOnly)
    highlight(wall.doc, 'scribble', 'red')
    highlight(writer.doc, 'one', 'yellow')
    await until([wall.doc], () => notesOf(wall.doc).has('one'))
    highlight(wall.doc, 'scrawl', 'red')
    highlight(writer.doc, 'two', 'yellow')
    await until([wall.doc], () => notesOf(wall.doc).has('two'))
    const client = await sdk(context, hub, tokens[1]!)
    const view = (await client.read('annotations', BOOK)) as [string, object][]
    assert.equal(
      view.map(([id]) => id),
      ['one', 'two']
    )
  })

  test(`${wire}: who reads is seen by the others, signed with the device, and gone when it leaves`, async context => {
    const { hub, tokens } = await reader(context)
    const left = open(context, wire, hub, tokens[0]!)
    const right = open(context, wire, hub, tokens[1]!)
    left.setState({ page: 7, device: 'someone else' })
    await until([], () => right.states().get(left.doc.clientID)?.page === 7)
    assert.is(right.states().get(left.doc.clientID)?.device, deviceOf((await hub.hub.account('reader'))!, 'phone'))
    left.destroy()
    await until([], () => !right.states().has(left.doc.clientID))
  })

  test(`${wire}: a revoked device is cut off at once, for good`, async context => {
    const { hub, tokens } = await reader(context)
    const provider = open(context, wire, hub, tokens[0]!)
    highlight(provider.doc, 'one', 'yellow')
    const client = await sdk(context, hub, tokens[1]!)
    const notes = await client.annotations(BOOK)
    await until([notes.doc], () => notes.get('one') !== undefined)
    const closed = provider.closed()
    const account = (await hub.hub.account('reader'))!
    await account.write('device.revoke', deviceOf(account, 'phone'), {})
    assert.is(await closed, 4_403)
  })

  for (const [what, token, code] of [
    ['no', '', 4_401],
    ['a made-up', 'lectern_nothing', 4_401]
  ] as const)
    test(`${wire}: ${what} token is refused with ${code}`, async context => {
      const { hub } = await reader(context)
      assert.is(await open(context, wire, hub, token).closed(), code)
    })

  test(`${wire}: a document of a name that is no book's is refused with 4404`, async context => {
    const { hub, tokens } = await reader(context)
    for (const name of ['notes/today', 'book/', 'book/%00', 'book/a%0Ab', `book/${'x'.repeat(129)}`, `book/${'x'.repeat(2_000)}`])
      assert.is(await open(context, wire, hub, tokens[0]!, new Y.Doc(), name).closed(), 4_404)
    assert.equal(
      hub.logger.lines.filter(({ level }) => level === 'error'),
      []
    )
  })
}

const deviceOf = (account: NonNullable<Awaited<ReturnType<TestServingHub['hub']['account']>>>, name: string): string =>
  account.views.range('devices', [], '', 10).find(([, device]) => device.name === name)![0]

test.run()

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { connectNode } from '../../client/node.ts'
import { HubProcess } from '../util/hub-process.ts'
import { suite } from '../util/suite.ts'
import { temporaryFolder } from '../util/folder.ts'
import { until } from '../util/until.ts'

const test = suite('client/README')

const readme = readFileSync(new URL('../../client/README.md', import.meta.url), 'utf8')
const root = fileURLToPath(new URL('../..', import.meta.url))

/** The README's first program, but for where it keeps its file and finds the hub. */
const program = (url: string, file: string): string =>
  /```ts\n([^]*?)```/.exec(readme)![1]!.replace('http://127.0.0.1:4747', url).replace("'reader.lectern'", JSON.stringify(file))

test('the first program of the README does on a real hub what it says', async context => {
  const folder = temporaryFolder(context)
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  await hub.operate('account.add', { account: 'jane' })
  const { token } = await hub.pair('jane', 'desk')
  const file = join(folder, 'reader.lectern')
  const args = ['--import', 'tsx', '--input-type=module', '-e', program(hub.url, file)]
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, LECTERN_TOKEN: token, FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  child.stdout.on('data', chunk => (output += chunk))
  child.stderr.on('data', chunk => (output += chunk))
  const [code] = (await once(child, 'close')) as [number]
  assert.is(code, 0, output)
  assert.match(output, /live\n/)
  assert.match(output, /quote: 'handsome, clever, and rich'/)
  assert.ok(existsSync(file))

  const reader = await hub.pair('jane', 'reader')
  const client = await connectNode({ url: hub.url, token: reader.token, file })
  context.defer(() => client.close())
  await until(() => client.state === 'live')
  await client.settled()
  assert.is(client.books.get('emma')?.title, 'Emma')
  const notes = await client.annotations('emma')
  assert.is(notes.list()[0]?.note, 'The first words.')
  assert.is(((await client.read('annotations', 'emma')) as unknown[]).length, 1)
})

test("the first program of the whole's README pairs once, and goes on with the token that it printed", async context => {
  const whole = readFileSync(join(root, 'README.md'), 'utf8')
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const { code } = await hub.operate<{ code: string }>('device.pair', { account: 'reader' })
  const book = 'emma'
  const desk = await connectNode({
    url: hub.url,
    token: (await hub.pair('reader', 'desk')).token,
    file: join(temporaryFolder(context), 'desk.lectern')
  })
  context.defer(() => desk.close())
  await desk.putBook(book, { title: 'Emma' })
  const text = /```ts\n([^]*?)```/
    .exec(whole)![1]!
    .replace('http://127.0.0.1:4747', hub.url)
    .replace('7KQ2-M9XD', code)
    .replace('0f3a…', book)
    .replace("'my-phone.lectern'", JSON.stringify(join(temporaryFolder(context), 'my-phone.lectern')))
  let token: string | undefined
  for (const start of ['first', 'second']) {
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', text], {
      cwd: root,
      env: { ...process.env, LECTERN_TOKEN: token, FORCE_COLOR: '0' }
    })
    context.defer(() => child.kill('SIGKILL'))
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    await until(() => output.includes('handsome, clever, and rich') || child.exitCode !== null)
    assert.is(child.exitCode, null, `the ${start} start: ${output}`)
    assert.is(output.includes('LECTERN_TOKEN='), token === undefined)
    token ??= /LECTERN_TOKEN=(\S+)/.exec(output)?.[1]
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  const apps = await hub.operate<{ name: string }[]>('device.list', { account: 'reader' })
  assert.equal(apps.filter(({ name }) => name === 'My phone').length, 1)
})

test('every export for apps is one that the README or a type of it names', async () => {
  const names = Object.keys(await import('../../client/node.ts'))
  const unnamed = names.filter(name => !readme.includes(name))
  assert.equal(unnamed, [])
})

test.run()

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as assert from 'uvu/assert'
import { connectNode } from '../../client/node.ts'
import { realData } from '../util/data.ts'
import { sha256Of } from '../util/contents.ts'
import { asideIn, filesIn } from '../util/folder-files.ts'
import { temporaryFolder } from '../util/folder.ts'
import { HubProcess } from '../util/hub-process.ts'
import { makeEpub } from '../util/make-epub.ts'
import { MirrorProcess } from '../util/mirror-process.ts'
import { RestFiles } from '../util/rest-files.ts'
import { suite } from '../util/suite.ts'
import { seeded } from '../util/writer.ts'

const KILLS = 12
const PATHS = ['Emma.epub', 'Persuasion.epub', 'Austen/Emma.epub', 'Austen/Lady Susan.epub', 'Zürich/Straße.epub', 'notes.txt']

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

const test = suite('stories/mirror', { limitMs: 20 * 60_000 })

test(`two folders and a REST device, with the hub or a mirror killed ${KILLS} times, become the same and lose no content`, async context => {
  const random = seeded(Number(process.env['LECTERN_SEED'] ?? 1))
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const rest = new RestFiles(() => hub.url, (await hub.pair('reader', 'rest')).token)
  const mirrors: MirrorProcess[] = []
  const devices: string[] = []
  for (const name of ['left', 'right']) {
    const { device, token } = await hub.pair('reader', name)
    devices.push(device)
    const mirror = new MirrorProcess(temporaryFolder(context), token)
    mirrors.push(mirror)
    context.defer(() => mirror.kill())
  }

  /** Contents that somebody made, and nobody took away knowingly. */
  const meant = new Set<string>()
  let serial = 0
  const newBook = (): Buffer => {
    serial += 1
    const html = `<p>${`This is book ${serial}. `.repeat(1 + Math.floor(random() * 20_000))}</p>`
    const bytes = makeEpub({ title: `Book ${serial}`, chapters: [{ name: 'one.xhtml', html }] })
    meant.add(sha256Of(bytes))
    return bytes
  }
  const contentOf = (place: string): string | undefined => {
    try {
      return sha256Of(readFileSync(place))
    } catch {
      return undefined
    }
  }
  /** What a person does in a folder, in one of the ways in which programs write files. */
  const deedIn = (folder: string): void => {
    const place = join(folder, pick(PATHS))
    const before = contentOf(place)
    const dice = random()
    mkdirSync(dirname(place), { recursive: true })
    if (dice < 0.35) {
      writeFileSync(`${place}.part`, newBook())
      renameSync(`${place}.part`, place)
    } else if (dice < 0.6) writeFileSync(place, newBook())
    else if (dice < 0.8) rmSync(place, { force: true })
    else if (before !== undefined) {
      const to = join(folder, pick(PATHS))
      const there = contentOf(to)
      mkdirSync(dirname(to), { recursive: true })
      try {
        renameSync(place, to)
      } catch (error) {
        // The mirror was faster.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
      if (there !== undefined && there !== before) meant.delete(there)
      return
    }
    if (before !== undefined) meant.delete(before)
  }
  const deedByRest = async (): Promise<void> => {
    const path = pick(PATHS)
    const base = await rest.at(path)
    if (base !== undefined && random() < 0.3) return rest.remove(path, base)
    await rest.put(path, new Uint8Array(newBook()), random() < 0.7 ? base : undefined)
  }

  for (const [index, mirror] of mirrors.entries()) {
    const real = realData('books')
    if (real !== undefined && index === 0)
      for (const name of readdirSync(real)) {
        const bytes = readFileSync(join(real, name))
        writeFileSync(join(mirror.folder, name), bytes)
        meant.add(sha256Of(bytes))
      }
    for (let deeds = 0; deeds < 4; deeds++) deedIn(mirror.folder)
    mirror.start(hub.url)
  }
  for (let kill = 0; kill < KILLS; kill++) {
    for (let deeds = 0; deeds < 6; deeds++) {
      const who = Math.floor(random() * 5)
      if (who === 4) await deedByRest()
      else deedIn(mirrors[who % 2]!.folder)
      await wait(random() * 400)
    }
    // As a power cut: at any time, be it in mid-upload, in mid-download or in mid-start.
    await wait(random() * 3_000)
    const victim = pick([hub, ...mirrors])
    for (const mirror of mirrors) assert.is(mirror.ended, undefined, mirror.output)
    await victim.kill()
    if (victim === hub) await hub.start()
    else (victim as MirrorProcess).start(hub.url)
  }

  const reader = await connectNode({ url: hub.url, token: (await hub.pair('reader', 'reader')).token })
  context.defer(() => reader.close())
  await reader.live()
  for (let same = 0; same < 2;) {
    await wait(2_000)
    for (const mirror of mirrors) assert.is(mirror.ended, undefined, mirror.output)
    const list = (await reader.files.list()).filter(({ removed }) => !removed)
    const atHub = JSON.stringify(Object.fromEntries(list.map(({ path, sha256 }) => [path, sha256])))
    const [left, right] = mirrors.map(({ folder }) => JSON.stringify(filesIn(folder)))
    same = left === right && sorted(atHub) === sorted(left!) ? same + 1 : 0
  }
  const aside = new Set(mirrors.flatMap(({ folder }) => asideIn(folder)))
  let heldCount = 0
  for (const sha256 of meant) {
    const bytes = await rest.content(sha256)
    if (bytes !== undefined) {
      assert.is(sha256Of(bytes), sha256)
      heldCount += 1
    } else assert.ok(aside.has(sha256), `the content ${sha256} is lost\n${mirrors.map(({ output }) => output).join('\n')}`)
  }
  for (const { path, sha256 } of await reader.files.list()) assert.is(sha256Of((await rest.content(sha256))!), sha256, path)
  const open = (await reader.files.conflicts()).filter(({ device }) => devices.includes(device))
  const others = new Set((await reader.files.list()).map(({ sha256 }) => sha256))
  const settled = open.filter(({ client }) => client === null || others.has(client.sha256))
  assert.equal(settled, [], 'a mirror ends its own conflicts, once both sides are files')
  process.stdout.write(
    `FIGURE: ${KILLS} kills, ${serial} contents written, ${meant.size} not taken away by their writers, ${heldCount} at the hub, 0 lost\n`
  )
})

const sorted = (json: string): string =>
  JSON.stringify(Object.entries(JSON.parse(json) as object).sort(([left], [right]) => (left < right ? -1 : 1)))

test.run()

import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { checkFolder } from '../../server/check.ts'
import { CHUNK_BYTES, chunkOf } from '../util/contents.ts'
import { FilesClient } from '../util/files-client.ts'
import { HubProcess } from '../util/hub-process.ts'
import { suite } from '../util/suite.ts'
import { until } from '../util/until.ts'
import { seeded } from '../util/writer.ts'

const KILLS = 100
const UPLOADERS = 4

const test = suite('long/upload-kills', { limitMs: 30 * 60_000 })

interface Expected {
  readonly path: string
  readonly bytes: Buffer
}

/** Uploads one file after the other, three chunks at once and in any order, until the hub is gone; and then goes on where it was told it is. */
class Uploader {
  readonly done: Expected[] = []
  answeredChunks = 0
  /** Uploads that the hub may have begun without a word: they are there until they expire. */
  unheard = 0
  readonly #client: FilesClient
  readonly #random: () => number
  #file: Expected | undefined
  #id: string | undefined
  readonly #sent = new Set<number>()
  readonly #answered = new Set<number>()
  #isCompleting = false

  constructor(client: FilesClient, random: () => number) {
    this.#client = client
    this.#random = random
  }

  /** Returns when the hub does not answer any more, or there is enough. */
  async run(isEnough: () => boolean): Promise<void> {
    try {
      while (!isEnough()) await this.#step()
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error.code === 'ERR_ASSERTION') throw error
    }
  }

  /** Holds what a hub that was killed shows against what it had answered. */
  async inspect(): Promise<void> {
    if (this.#file !== undefined && this.#id !== undefined) {
      const { status, json } = await this.#client.status(this.#id)
      assert.is(status, 200, 'an upload that was answered is there')
      const missing = new Set<number>(json.missing_chunks)
      for (let index = 0; index < json.chunk_count; index++) {
        if (this.#answered.has(index)) assert.not(missing.has(index), 'a chunk that was answered is there')
        if (!this.#sent.has(index)) assert.ok(missing.has(index), 'a chunk that was never sent is not')
      }
      const { status: shown, bytes } = await this.#client.download(this.#file.path)
      if (!this.#isCompleting) assert.is(shown, 404, 'a file that is not complete is not shown')
      else assert.ok(shown === 404 || bytes.equals(this.#file.bytes), 'a file is shown whole')
    }
    for (const { path, bytes } of this.done.slice(-3)) {
      const { status, bytes: shown } = await this.#client.download(path)
      assert.equal([status, shown.equals(bytes)], [200, true], 'a file whose completion was answered is there')
    }
  }

  async #step(): Promise<void> {
    if (this.#file === undefined) {
      const bytes = randomBytes(1 + Math.floor(this.#random() * 9 * CHUNK_BYTES))
      this.#file = { path: `file ${this.done.length}`, bytes }
    }
    const { path, bytes } = this.#file
    if (this.#id === undefined) {
      this.unheard += 1
      const { status, json } = await this.#client.begin(path, bytes)
      assert.is(status, 200)
      this.unheard -= 1
      this.#id = json.id as string
    }
    const id = this.#id
    const missing = ((await this.#client.status(id)).json.missing_chunks as number[]).sort(() => this.#random() - 0.5)
    const send = async (): Promise<void> => {
      for (let index = missing.pop(); index !== undefined; index = missing.pop()) {
        this.#sent.add(index)
        const { status } = await this.#client.chunk(id, index, chunkOf(bytes, index))
        assert.is(status, 200)
        this.#answered.add(index)
        this.answeredChunks += 1
      }
    }
    const [failed] = (await Promise.allSettled([send(), send(), send()])).filter(({ status }) => status === 'rejected')
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason
    this.#isCompleting = true
    const { status, json } = await this.#client.complete(id)
    assert.is(status, 200, JSON.stringify(json))
    assert.is(json.result.conflict_id, undefined, 'no upload is in conflict with itself')
    this.done.push(this.#file)
    this.#file = this.#id = undefined
    this.#isCompleting = false
    this.#sent.clear()
    this.#answered.clear()
  }
}

test(`kill -9 at ${KILLS} random moments of uploads loses no chunk that was answered, and shows no file that is not whole`, async ({
  defer
}) => {
  const random = seeded(Number(process.env['LECTERN_SEED'] ?? 1))
  const hub = new HubProcess()
  defer(() => hub.drop())
  await hub.start()
  const uploaders: Uploader[] = []
  for (let number = 0; number < UPLOADERS; number++) {
    const { token } = await hub.pair('reader', `device ${number}`)
    uploaders.push(new Uploader(new FilesClient(`${hub.url}/api/v1/sync`, token, `${number}/`), random))
  }
  const answered = (): number => uploaders.reduce((sum, { answeredChunks }) => sum + answeredChunks, 0)
  for (let kill = 0; kill < KILLS; kill++) {
    const enough = answered() + Math.floor(random() * 40)
    const running = uploaders.map(uploader => uploader.run(() => false))
    await until(() => answered() >= enough)
    await hub.kill()
    await Promise.all(running)
    await hub.start()
    for (const uploader of uploaders) await uploader.inspect()
  }
  const finished = uploaders.map(({ done }) => done.length)
  await Promise.all(uploaders.map((uploader, number) => uploader.run(() => uploader.done.length > finished[number]!)))
  for (const uploader of uploaders) await uploader.inspect()
  const unheard = uploaders.reduce((sum, uploader) => sum + uploader.unheard, 0)
  assert.ok(readdirSync(join(hub.dataFolder, 'files/uploads')).length <= unheard, 'nothing is left of what is finished')
  await hub.kill('SIGTERM')
  assert.equal((await checkFolder(hub.dataFolder)).findings, [])
  const files = uploaders.reduce((sum, { done }) => sum + done.length, 0)
  process.stdout.write(`FIGURE: ${KILLS} kills, ${answered()} chunks answered, ${files} files, 0 lost, 0 shown in part\n`)
})

test.run()

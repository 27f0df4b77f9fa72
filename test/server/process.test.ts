import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, watch } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { temporaryFolder } from '../util/folder.ts'
import { hubProgram } from '../util/hub-program.ts'
import { ended } from '../util/lectern.ts'
import { suite } from '../util/suite.ts'

const test = suite('server/process')

test('a hub that is told to stop while it starts lets go of its store, and ends with 0', async context => {
  const data = temporaryFolder(context)
  const claim = join(data, 'store-owner')
  const watcher = watch(data)
  context.defer(() => watcher.close())
  const child = spawn(process.execPath, [hubProgram(), 'serve', '--port', '0', '--data', data])
  context.defer(() => child.kill('SIGKILL'))
  const ran = ended(child)
  while (!existsSync(claim)) await once(watcher, 'change')
  child.kill('SIGTERM')
  assert.is((await ran).code, 0)
  assert.not(existsSync(claim))
})

test.run()

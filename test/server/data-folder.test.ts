import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { mustBeFree, mustHoldStore } from '../../server/data-folder.ts'
import { temporaryFolder } from '../util/folder.ts'
import { suite } from '../util/suite.ts'

const test = suite('server/data-folder')

const NOBODY = 65_534

/** Does something as a user who may only what anyone may. */
function asAnyone(work: () => void): void {
  const isRoot = process.geteuid!() === 0
  if (isRoot) process.seteuid!(NOBODY)
  try {
    work()
  } finally {
    if (isRoot) process.seteuid!(0)
  }
}

test('a data folder that another user has closed is said to be that, and no backup', context => {
  const parent = temporaryFolder(context)
  chmodSync(parent, 0o755)
  const folder = join(parent, 'data')
  mkdirSync(folder, { mode: 0o000 })
  for (const look of [mustBeFree, mustHoldStore])
    asAnyone(() =>
      assert.throws(
        () => look(folder),
        (error: Error) => error.message.startsWith(`the data folder ${folder} cannot be looked into (EACCES)`)
      )
    )
})

test.run()

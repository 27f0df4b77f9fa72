import { statSync } from 'node:fs'
import type { Command } from 'commander'
import type { Plain } from '../protocol/index.ts'
import { backUp, BadCopy, restore, type Manifest } from './backup.ts'
import { checkFolder, type CheckReport } from './check.ts'
import { configFrom, operator, operatorConfig, print, run, say, timeOf, withOptions } from './cli.ts'
import { EXIT } from './exit-codes.ts'

/** Adds the commands that look after what a hub keeps. */
export function addMaintenance(program: Command): void {
  operator(program, 'stats', 'What the hub holds just now, in all and account by account.').action(
    async (_, command: Command) => {
      const { hub, disk, flushes, accounts } = (await run(operatorConfig(command), 'stats', {})) as Record<string, Plain>
      for (const part of [hub!, disk!, flushes!]) print(part)
      if ((accounts as Plain[]).length > 0) print(accounts!)
    }
  )

  operator(
    program,
    'compact [account]',
    'Fold the beginnings of logs that no device needs any more, all but the last 1,024 changes at least; a hub does it by itself.'
  ).action(async (account: string | undefined, _, command: Command) =>
    print(await run(operatorConfig(command), 'compact', account === undefined ? {} : { account }))
  )

  withOptions(
    program
      .command('check')
      .description('Check all that is kept, of a data folder or a backup, while a hub runs or not. Changes nothing.'),
    ['dataFolder']
  ).action(async (_, command: Command) => {
    const report = await checkFolder(operatorConfig(command, true).dataFolder)
    const { findings, ...read } = report
    printFindings(report)
    print({ ...read, damaged: findings.length })
    if (findings.length > 0) process.exitCode = EXIT.damaged
  })

  withOptions(
    program
      .command('backup <folder>')
      .description('Copy all that is kept into a new folder, while a hub runs or not, and check the copy.'),
    ['dataFolder']
  ).action(async (folder: string, _, command: Command) => {
    process.umask(0o077)
    await orPrint(async () => sayCopy('Backed up', folder, await backUp(operatorConfig(command).dataFolder, folder)))
  })

  withOptions(
    program
      .command('restore <backup>')
      .description(
        'Make a new data folder from a backup, and check it. Never overwrites. Devices begin anew, and send what they have not sent.'
      ),
    ['dataFolder']
  ).action(async (backup: string, _, command: Command) => {
    process.umask(0o077)
    const { dataFolder } = configFrom(command)
    await orPrint(async () => sayCopy('Restored', dataFolder, await restore(backup, dataFolder)))
  })
}

function sayCopy(what: string, folder: string, { madeAtMs, accounts, changes, files, fileBytes }: Manifest): void {
  say(`${what} into ${folder}, as of ${timeOf(madeAtMs)}; checked, and sound.`)
  if ((statSync(folder).mode & 0o077) !== 0) say(`Others may read ${folder}: its disk does not let it be closed to them.`)
  print({ accounts, changes, files, fileBytes })
}

/** Prints what is wrong with a copy before it fails. */
async function orPrint(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof BadCopy) printFindings(error.report)
    throw error
  }
}

function printFindings({ findings }: CheckReport): void {
  for (const { account, what } of findings) say(`DAMAGED: ${account === '' ? '' : `account ${account}: `}${what}`)
}

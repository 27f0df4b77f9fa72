import type { Command } from 'commander'
import { operator, operatorConfig, print, run, say, timeOf } from './cli.ts'

/** Adds the commands about families of TimeLimit. */
export function addHouseholds(program: Command): void {
  const household = program.command('household').description('Families that set limits to screen time, with TimeLimit.')
  operator(
    household,
    'create <account> <mail>',
    'Keep an account, made when there is none, for the family of a parent with this address.'
  ).action(async (account: string, mail: string, _, command: Command) => {
    const kept = (await run(operatorConfig(command), 'household.create', { account, mail })) as { account: string; mail: string }
    say(
      `${kept.account} is kept for the family of ${kept.mail}: sign in with that address in the app, and make the family there.`
    )
  })
  operator(household, 'list', 'List the families, their parents, children and devices, and the accounts kept for others.').action(
    async (_, command) => print(await run(operatorConfig(command), 'household.list', {}))
  )
  operator(household, 'device <account>', 'Make the words with which one new device joins a family. Needs a running hub.').action(
    async (account: string, _, command: Command) => {
      const opened = await run(operatorConfig(command), 'household.device', { account })
      const { words, device, expiresAtMs } = opened as { words: string; device: string; expiresAtMs: number }
      say(words)
      print({ device, goodUntil: timeOf(expiresAtMs), goodFor: 'once' })
    }
  )
  operator(
    household,
    'code [mail]',
    'Show the codes of sign-in that can be typed now; of one address, its newest alone. Needs a running hub.'
  ).action(async (mail: string | undefined, _, command: Command) => {
    const found = await run(operatorConfig(command), 'household.code', mail === undefined ? {} : { mail })
    if (mail === undefined) print(found)
    else say((found as { code: string }).code)
  })
}

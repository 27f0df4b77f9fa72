import { Option as CommandOption, type Command } from 'commander'
import { onlyAccount, operator, operatorConfig, print, run } from './cli.ts'
import type { Config } from './options.ts'

/** Adds the commands by which documents of readers that sync by kosync, and books, find each other. */
export function addBooks(program: Command): void {
  const book = program.command('book').description('Which document of a reader is which book.')
  const whose = (command: Command): Command =>
    command.addOption(
      new CommandOption('--account <name>', 'Whose library; needed when there are several accounts.').env('LECTERN_ACCOUNT')
    )
  const accountOf = async (config: Config, command: Command): Promise<string> =>
    command.opts<{ account?: string }>().account ?? onlyAccount(config)

  for (const [name, text] of [
    [
      'link',
      'Say that a document is this book; its positions go on as those of the book. Takes `type:value` too, for any identifier.'
    ],
    ['unlink', 'Take that back. What the book has of it stays.']
  ] as const)
    whose(operator(book, `${name} <book> <document>`, text)).action(
      async (id: string, identifier: string, _: unknown, command: Command) => {
        const config = operatorConfig(command)
        if (id === '' || identifier === '') throw new RangeError('name a book by its id, and a document or `type:value`')
        print(await run(config, `book.${name}`, { account: await accountOf(config, command), book: id, identifier }))
      }
    )

  whose(operator(book, 'unlinked', 'List the documents that no book has, with where their readers are.')).action(
    async (_, command: Command) => {
      const config = operatorConfig(command)
      print(await run(config, 'book.unlinked', { account: await accountOf(config, command) }))
    }
  )
}

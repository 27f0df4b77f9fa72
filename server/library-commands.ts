import { resolve } from 'node:path'
import { Option as CommandOption, type Command } from 'commander'
import { FORMATS, type FormatName } from './annotations/formats.ts'
import { kindOf, operator, operatorConfig, onlyAccount, print, run, runAll, say } from './cli.ts'
import { EXIT } from './exit-codes.ts'
import { exportBook, exportBooks } from './export-annotations.ts'
import { importAnnotations, isEpub } from './import-annotations.ts'

const accountOption = (): CommandOption =>
  new CommandOption('--account <name>', 'Whose library; needed when there are several accounts.').env('LECTERN_ACCOUNT')

/** Adds the commands that bring things into a library and out of it. */
export function addLibrary(program: Command): void {
  operator(
    program,
    'import <file>',
    'Put an EPUB into a library, or annotations: W3C, Readium, Markdown, KOReader, Kindle, or a library feed.'
  )
    .addOption(accountOption())
    .addOption(new CommandOption('--book <id>', 'Which book the annotations are of.').env('LECTERN_BOOK'))
    .addOption(
      new CommandOption('--add-books', 'Make the books that the library lacks. Any value of the variable does.').env(
        'LECTERN_ADD_BOOKS'
      )
    )
    .action(async (file: string, given: { account?: string; book?: string; addBooks?: true }, command: Command) => {
      const config = operatorConfig(command)
      const path = resolve(file)
      if (kindOf(path) !== 'file') throw new RangeError(`there is no file ${path}; name an EPUB, or a file of annotations`)
      if (await isEpub(path)) {
        if (given.book !== undefined) throw new RangeError('an EPUB is a book of its own; leave --book out')
        print(await run(config, 'import', { account: given.account ?? (await onlyAccount(config)), path }))
        return
      }
      const { total, books, leftOut } = await runAll(config, async call =>
        importAnnotations(call, path, {
          account: given.account ?? (await onlyAccount(config, call)),
          book: given.book,
          isAdding: given.addBooks !== undefined
        })
      )
      print(total)
      if (books.length > 0) print(books)
      sayLeftOut(leftOut)
    })

  operator(program, 'export', 'Write the annotations of one book, or a file for each book that has some.')
    .addOption(accountOption())
    .addOption(
      new CommandOption('--book <id>', 'Only this one; to the standard output unless --out names a file.').env('LECTERN_BOOK')
    )
    .addOption(
      new CommandOption('--format <format>', 'w3c, readium or markdown.')
        .env('LECTERN_FORMAT')
        .choices(Object.keys(FORMATS))
        .default('w3c')
    )
    .addOption(new CommandOption('--out <path>', 'The folder, or with --book the file.').env('LECTERN_OUT'))
    .addOption(
      new CommandOption('--overwrite', 'Replace files that are there. Any value of the variable does.').env('LECTERN_OVERWRITE')
    )
    .action(
      async (
        given: { account?: string; book?: string; format: FormatName; out?: string; overwrite?: true },
        command: Command
      ) => {
        const { book, format, out } = given
        if (book === undefined && out === undefined)
          throw new RangeError('say which book with --book, or into which folder with --out')
        const config = operatorConfig(command)
        const path = out === undefined ? undefined : resolve(out)
        const isReplacing = given.overwrite !== undefined
        await runAll(config, async call => {
          const account = given.account ?? (await onlyAccount(config, call))
          if (book !== undefined) return exportBook(call, { account, book, format, path, isReplacing })
          const { rows, leftOut } = await exportBooks(call, { account, format, folder: path!, isReplacing })
          if (rows.length > 0 || leftOut.length === 0) print(rows)
          sayLeftOut(leftOut)
        })
      }
    )
}

/** Cron should know that not everything was done. */
function sayLeftOut(leftOut: readonly string[]): void {
  for (const what of leftOut) say(`LEFT OUT: ${what}`)
  if (leftOut.length > 0) process.exitCode = EXIT.failed
}

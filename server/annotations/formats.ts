import type { Annotation, BookDescription } from './annotation.ts'
import { markdown } from './markdown.ts'
import { readium } from './readium.ts'
import { w3c } from './w3c.ts'

/** How the annotations of one book are written down, bit by bit. */
export interface Format {
  readonly mediaType: string
  /** Of files, with the dot. */
  readonly extension: string
  begin(this: void, book: BookDescription & { readonly id: string }): string
  /** @param index how many came before it */
  item(this: void, annotation: Annotation, book: string, index: number): string
  end(this: void, count: number): string
}

export const FORMATS: Readonly<Record<'w3c' | 'readium' | 'markdown', Format>> = { w3c, readium, markdown }

export type FormatName = keyof typeof FORMATS

export const isFormatName = (name: string): name is FormatName => Object.hasOwn(FORMATS, name)

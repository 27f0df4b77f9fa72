import type { Annotation } from './annotation.ts'

/** Annotations as they stand in the book, as far as that can be told: by the kind of place that most of them have, then by when they were made. */
export function inReadingOrder(annotations: readonly Annotation[]): Annotation[] {
  const counts = new Map<string, number>()
  for (const { locators = {} } of annotations)
    for (const name of Object.keys(locators)) counts.set(name, (counts.get(name) ?? 0) + 1)
  const [name] = ['cfi', 'xpointer', 'location', 'page'].sort((left, right) => (counts.get(right) ?? 0) - (counts.get(left) ?? 0))
  return annotations
    .map(annotation => ({ annotation, place: placeOf(name!, annotation.locators?.[name!]) }))
    .sort(
      (left, right) =>
        compare(left.place, right.place) ||
        (left.annotation.createdAtMs ?? 0) - (right.annotation.createdAtMs ?? 0) ||
        compare(left.annotation.id, right.annotation.id)
    )
    .map(({ annotation }) => annotation)
}

/** As long as a locator can be that is put; an editor that speaks Yjs can write longer ones. */
const MAX_LOCATOR_LENGTH = 4_096

/** Numbers sort by what they count. A place that is not known, or no place, comes last. */
function placeOf(name: string, text: string | null | undefined): string {
  if (typeof text !== 'string' || text.length > MAX_LOCATOR_LENGTH) return '\uffff'
  const steps = name === 'cfi' ? text.replace(/\[[^\]]*\]/g, '') : text
  return steps.replace(/\d{1,15}/g, digits => digits.padStart(15, '0'))
}

const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

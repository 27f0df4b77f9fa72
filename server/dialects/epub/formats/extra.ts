/** Characters of one member that no model has. */
export const MAX_EXTRA_LENGTH = 65_536
/** Such members of one model. */
const MAX_EXTRAS = 100
export const MAX_NAME_LENGTH = 256

/**
 * Keeps a member that no model has.
 * @param text as `Extra` has it; undefined when it was over the limit already
 * @returns why it cannot be kept; undefined when it was
 */
export function keepExtra(extra: Map<string, string>, name: string, text: string | undefined): string | undefined {
  if (text === undefined || text.length > MAX_EXTRA_LENGTH)
    return `A member that is not known holds more than ${MAX_EXTRA_LENGTH} characters.`
  if (extra.size >= MAX_EXTRAS && !extra.has(name)) return `There are more than ${MAX_EXTRAS} members that are not known.`
  extra.set(name, text)
  return undefined
}

/** Why nothing can be made of a body at all. */
export class BadBody extends Error {
  override readonly name = 'BadBody'
}

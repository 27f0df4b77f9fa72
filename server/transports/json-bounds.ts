const [QUOTE, COLON, COMMA, BRACKET, BACKSLASH, BRACE, BRACE_END] = [34, 58, 44, 91, 92, 123, 125]

/**
 * True when a JSON text has at most so many values, nested ones included. A parser makes each of them before anybody can look at it: a megabyte of brackets takes it
 * a thousand times as long as a megabyte of text. What is no JSON counts as it would if it were.
 * @param maxMembers of any one object, repeated ones included: to look through an object of many names is dearer than to make it
 */
export function hasAtMostValues(text: string, maxValues: number, maxMembers = Infinity): boolean {
  // Each takes a character at least.
  if (text.length < Math.min(maxValues, maxMembers)) return true
  let isInString = false
  let values = 1
  let members = 0
  /** Members so far of the objects around this one, from the outside in. */
  const outer: number[] = []
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit === QUOTE) isInString = !isInString
    else if (isInString) index += unit === BACKSLASH ? 1 : 0
    else if ((unit === COMMA || unit === BRACKET || unit === BRACE) && ++values > maxValues) return false
    else if (unit === COLON && ++members > maxMembers) return false
    else if (unit === BRACE) {
      outer.push(members)
      members = 0
    } else if (unit === BRACE_END) members = outer.pop() ?? 0
  }
  return true
}

// Reports a line a file, failures whole, and as the last line how many assertions passed and failed.
import { PassThrough, Transform } from 'node:stream'
import { Parser } from 'tap-parser'

export default class Reporter extends Transform {
  #tap = new PassThrough()
  #parser = new Parser()
  #passed = 0
  #failed = 0

  constructor() {
    super()
    this.#tap.pipe(this.#parser)
    this.#parser.on('child', (file) => this.#watch(file, []))
    this.#parser.on('assert', (result) => this.#file(result))
    this.#parser.on('extra', (text) => this.push(text))
  }

  /** Every level below a file: its leaves are what is counted. */
  #watch(parser, path) {
    const names = [...path, parser.name]
    let children = 0
    parser.on('child', (child) => {
      children++
      this.#watch(child, names)
    })
    parser.on('assert', (result) => {
      // The line that closes a subtest repeats what its own lines say.
      if (children > 0) {
        children--
        return
      }
      if (result.ok || result.todo) this.#passed++
      else this.#fail(names, result)
      if (result.skip) this.push(`  skipped: ${[...names, result.name].join(' › ')}: ${result.skip}\n`)
    })
    parser.on('bailout', (reason) => this.#fail(names, { name: `bailed out: ${reason}` }))
  }

  #file(result) {
    this.push(`${result.ok ? 'ok  ' : 'FAIL'} ${result.name}${result.time ? ` (${Math.round(result.time)} ms)` : ''}\n`)
    // A file that crashed has no failed line of its own.
    if (!result.ok && this.#failed === 0) this.#fail([], result)
  }

  #fail(path, result) {
    this.#failed++
    this.push(
      `\nFAILED: ${[...path, result.name].join(' › ')}\n${result.diag ? `${JSON.stringify(result.diag, null, 2)}\n` : ''}\n`,
    )
  }

  _transform(chunk, _encoding, done) {
    this.#tap.write(chunk, () => done())
  }

  _flush(done) {
    this.#parser.on('complete', () => {
      this.push(`\n${this.#passed} passed, ${this.#failed} failed\n`)
      done()
    })
    this.#tap.end()
  }
}

// Pictures of one study: fetched outward from where somebody looks, held within a bound, let go of when told to.

const MOST_HELD_BYTES = 96 * 1024 * 1024;
const AT_ONCE = 4;
const AHEAD = 40;

// The study may not be shown any more: signed out, run out, or taken back. `code` is that of the refusal.
export class Over extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

// This one picture cannot be shown; the others may. The message is the reason, as the platform gives it.
export class Unshowable extends Error {}

export class Pictures {
  #held = new Map();
  #bytes = 0;
  #running = new Map();
  #confirmedAt = performance.now();
  #isOver = false;

  constructor(base) {
    this.base = base;
  }

  // The picture's local address when it is here already.
  peek(address) {
    const found = this.#held.get(address);
    if (found) {
      this.#held.delete(address);
      this.#held.set(address, found);
    }
    return found?.url;
  }

  get(address) {
    const here = this.peek(address);
    if (here) {
      return Promise.resolve(here);
    }
    if (!this.#running.has(address)) {
      const running = this.#fetch(address).finally(() => this.#running.delete(address));
      this.#running.set(address, running);
    }
    return this.#running.get(address);
  }

  // Fetch what is near, nearest first, a few at once. A newer call takes the place of the older one.
  async around(addresses) {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const wanted = addresses.slice(0, AHEAD).filter((address) => !this.#held.has(address));
    const next = async () => {
      while (wanted.length && turn === this.turn && !this.#isOver) {
        await this.get(wanted.shift()).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
  }

  // Is what is held still to be shown? Asked again when the last word on it is older than this.
  async confirm(longestAgoMilliseconds) {
    if (this.#isOver || performance.now() - this.#confirmedAt < longestAgoMilliseconds) {
      return;
    }
    this.#confirmedAt = performance.now();
    const reply = await fetch(`${this.base}/standing`, { cache: "no-store", redirect: "error" });
    await this.#check(reply);
  }

  dropAll() {
    this.#isOver = true;
    for (const { url } of this.#held.values()) {
      URL.revokeObjectURL(url);
    }
    this.#held.clear();
  }

  async #fetch(address) {
    const reply = await fetch(address, { headers: { Accept: "image/jpeg, application/problem+json" }, redirect: "error" });
    await this.#check(reply);
    const picture = await reply.blob();
    if (this.#isOver) {
      throw new Over("");
    }
    this.#confirmedAt = performance.now();
    return this.#hold(address, picture);
  }

  async #check(reply) {
    if (reply.ok) {
      return;
    }
    const problem = await reply.json().catch(() => ({}));
    if (reply.status === 401 || reply.status === 403 || reply.status === 404) {
      throw new Over(problem.code);
    }
    if (reply.status === 422) {
      throw new Unshowable(problem.reason);
    }
    throw new Error(problem.title ?? String(reply.status));
  }

  #hold(address, picture) {
    const url = URL.createObjectURL(picture);
    this.#held.set(address, { url, bytes: picture.size });
    this.#bytes += picture.size;
    for (const [oldest, { url: gone, bytes }] of this.#held) {
      if (this.#bytes <= MOST_HELD_BYTES || oldest === address) {
        break;
      }
      URL.revokeObjectURL(gone);
      this.#held.delete(oldest);
      this.#bytes -= bytes;
    }
    return url;
  }
}

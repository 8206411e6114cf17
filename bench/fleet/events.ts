/** What happens in a simulation, in the order of its time. */

interface Event {
  readonly at: number;
  /** Of two at the same time the first that was planned comes first. */
  readonly number: number;
  readonly act: () => void;
}

export class Events {
  /** Seconds since the beginning. */
  now = 0;
  private planned = 0;
  /** A binary heap: no event is later than the two below it. */
  private readonly heap: Event[] = [];

  /** Has something done so many seconds from now. */
  after(seconds: number, act: () => void): void {
    const { heap } = this;
    heap.push({ at: this.now + seconds, number: this.planned++, act });
    for (let child = heap.length - 1; child > 0; ) {
      const parent = (child - 1) >> 1;
      if (!isEarlier(heap[child]!, heap[parent]!)) return;
      swap(heap, child, parent);
      child = parent;
    }
  }

  /** Lets things happen until `isOver`, or nothing is planned. */
  run(isOver: () => boolean): void {
    while (!isOver()) {
      const event = this.first();
      if (!event) return;
      this.now = event.at;
      event.act();
    }
  }

  private first(): Event | undefined {
    const { heap } = this;
    const event = heap[0];
    const last = heap.pop();
    if (!event || !last || heap.length === 0) return event;
    heap[0] = last;
    for (let parent = 0; ; ) {
      let least = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2])
        if (child < heap.length && isEarlier(heap[child]!, heap[least]!)) least = child;
      if (least === parent) return event;
      swap(heap, parent, least);
      parent = least;
    }
  }
}

function isEarlier(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.number < b.number);
}

function swap(heap: Event[], a: number, b: number): void {
  [heap[a], heap[b]] = [heap[b]!, heap[a]!];
}

// The walk of a decoding kernel without barriers, within its `main`: an invocation's HEADS_EACH queries attend
// positions `start` to `length` − 1 of the cache from `base` on, four at a time. Each has a softmax that goes on from
// `largest$h`, `total$h` and `sum$h`.

  for (var first = start; first < length; first += 4u) {
    let position = vec4(first) + firstFour;
    let visible = position < vec4(length);
    let place = ((base + min(position, vec4(length - 1u))) * params.kvHeads + kvHead) * HEAD_VECS;
//#each h HEADS_EACH
    var score$h = vec4<f32>();
//#end
//#each c VECTORS
    let at$c = place + $c;
    let keys$c = mat4x4<f32>(mat4x4(cacheK[at$c.x], cacheK[at$c.y], cacheK[at$c.z], cacheK[at$c.w]));
//#each h HEADS_EACH
    score$h += query$h[$c] * keys$c;
//#end
//#end
//#each h HEADS_EACH
    score$h = select(vec4(NEVER), score$h, visible);
    let newLargest$h = max(largest$h, largestOf(score$h));
    let weight$h = select(vec4(0.0), exp(score$h - newLargest$h), visible);
    let shrink$h = exp(largest$h - newLargest$h);
    largest$h = newLargest$h;
    total$h = total$h * shrink$h + dot(weight$h, vec4(1.0));
//#end
//#each c VECTORS
    let from$c = place + $c;
    let values$c = mat4x4<f32>(mat4x4(cacheV[from$c.x], cacheV[from$c.y], cacheV[from$c.z], cacheV[from$c.w]));
//#each h HEADS_EACH
    sum$h[$c] = sum$h[$c] * shrink$h + values$c * weight$h;
//#end
//#end
  }

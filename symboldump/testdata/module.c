// What the fixtures are built of: inlined calls two deep, a function in parts, saved registers,
// a large frame, an alloca, and calls through pointers. No library is needed.
struct node {
  struct node *next;
  long value;
};

static inline __attribute__((always_inline)) long square(long x) {
  return x * x;
}

static inline __attribute__((always_inline)) long twice(long x) {
  return square(x) +
         square(x + 1);
}

__attribute__((noinline)) long sum(struct node *list, long (*each)(long)) {
  long total = 0;
  for (; list; list = list->next)
    total += each(list->value) + twice(list->value);
  return total;
}

__attribute__((noinline)) long large(long n) {
  volatile long room[700];
  for (long i = 0; i < 700; i++)
    room[i] = twice(n + i);
  return room[n & 511];
}

__attribute__((noinline)) long sized(long n, long (*each)(long)) {
  char *room = __builtin_alloca(n * 16);
  for (long i = 0; i < n; i++)
    room[i] = (char)each(i);
  return each(room[n / 2]);
}

__attribute__((noinline)) long many(long a, long b, long c, long d, long (*each)(long)) {
  long v = each(a), w = each(b), x = each(c), y = each(d), z = each(a + b);
  return v * w + x * y + z * each(v + w) * each(x + y + z);
}

__attribute__((noinline)) long leaf(long x) { return x ^ 42; }

long entry(long n) {
  struct node last = {0, n}, first = {&last, n + 1};
  return sum(&first, leaf) + large(n) + sized(n, leaf) + many(n, 1, 2, 3, leaf);
}

// An orchard that dies in sixteen ways, one function a way.  SPDX-License-Identifier: Apache-2.0
//
//   orchard KIND    KIND is a name of the table at the end: null, abort, overflow, ...
//
// Built with -O2 as programs are shipped: what a crash looks like after inlining is the point.  Every function that
// should keep its own frame is marked OUTLINE, every one that must disappear into its caller INLINE.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "crashpad_client.h"

#define OUTLINE __attribute__((noinline))
#define INLINE inline __attribute__((always_inline))

namespace orchard {

// Hides where a value comes from, so that the compiler cannot see a crash coming and rewrite it.
template <class T>
INLINE T opaque(T value) {
  asm volatile("" : "+r"(value));
  return value;
}

struct Apple {
  const char* variety;
  int grams;
};

class Tree {
 public:
  virtual ~Tree() = default;
  virtual int harvest(int day) = 0;
  std::vector<Apple> apples;
};

class AppleTree : public Tree {
 public:
  explicit AppleTree(int count) {
    for (int i = 0; i < count; i++) apples.push_back({"boskoop", 150 + 7 * i});
  }
  OUTLINE int harvest(int day) override {
    return day + std::accumulate(apples.begin(), apples.end(), 0, [](int sum, const Apple& a) { return sum + a.grams; });
  }
};

// Visits every element of a row; the callback ends up inside the loop of whoever calls this.
template <class Row, class Visit>
INLINE int for_each_in(const Row& row, Visit&& visit) {
  int sum = 0;
  for (const auto& element : row) sum += visit(element);
  return sum;
}

namespace storage {

INLINE int weigh(const Apple& apple) { return apple.grams + static_cast<int>(apple.variety[0]); }

template <class T, int Capacity>
class Crate {
 public:
  INLINE int weight() const {
    return for_each_in(items_, [](const T* item) { return weigh(*item); });
  }
  void pack(const T* item) { items_.push_back(item); }

 private:
  std::vector<const T*> items_;
};

}  // namespace storage

namespace crew {

// Two harvesters that wait for work which never comes: every dump has more than one thread.
class Harvesters {
 public:
  void start() {
    for (int i = 1; i <= 2; i++) threads_.emplace_back([this, i] { work(i); });
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ == 2; });
    lock.unlock();
    usleep(50000);  // and now both are asleep in the kernel
  }
  // Has the second harvester pick from a basket, and waits for it for ever.
  void send(int* basket) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      basket_ = basket;
      called_ = true;
    }
    changed_.notify_all();
    threads_[1].join();
  }

 private:
  OUTLINE void work(int number) {
    const std::string name = "harvester-" + std::to_string(number);
    pthread_setname_np(pthread_self(), name.c_str());
    std::unique_lock<std::mutex> lock(mutex_);
    waiting_++;
    changed_.notify_all();
    changed_.wait(lock, [this, number] { return called_ && number == 2; });
    fill(basket_, number);
  }
  OUTLINE void fill(int* basket, int apples) { basket[3] = apples; }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
  int* basket_ = nullptr;
  bool called_ = false;
  int waiting_ = 0;
};

Harvesters harvesters;

}  // namespace crew

// The ways to die.  Each returns a number, so that no call of them is the last thing its caller does.

OUTLINE int count_apples(const Tree* tree) { return static_cast<int>(tree->apples.size()); }
int null_dereference() { return count_apples(opaque<Tree*>(nullptr)); }

OUTLINE int check_season(int month) {
  if (month > 12) {
    fprintf(stderr, "orchard: month %d: no such season\n", month);
    abort();
  }
  return month / 3;
}
int abort_with_message() { return check_season(opaque(13)); }

OUTLINE int prune_branch(int depth) {
  if (opaque(depth) < 0) return 0;  // never: every branch has a longer one
  volatile char twigs[160];
  twigs[depth % 160] = 1;
  return prune_branch(depth + 1) + twigs[0];
}
int stack_overflow() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 << 10);  // a small stack makes a small dump
  pthread_t pruner;
  pthread_create(&pruner, &attributes, [](void*) -> void* {
    pthread_setname_np(pthread_self(), "pruner");
    crashpad_client_install_thread();
    return reinterpret_cast<void*>(static_cast<intptr_t>(prune_branch(0)));
  }, nullptr);
  return pthread_join(pruner, nullptr);
}

OUTLINE int apples_per_crate(int apples, int crates) { return apples / crates; }
int division_by_zero() { return apples_per_crate(opaque(120), opaque(0)); }

OUTLINE int ring_bell(int (*bell)(int)) { return bell(3) + 1; }
int wild_jump() { return ring_bell(opaque(reinterpret_cast<int (*)(int)>(0x1d008f90a0b0))); }
int null_call() { return ring_bell(opaque<int (*)(int)>(nullptr)); }

// A tree that is planted, and harvested at once, before it has become a tree of any kind.
class Seedling : public Tree {
 public:
  Seedling() { plant(); }
  OUTLINE void plant() { planted_ = harvest(0) + 1; }

 protected:
  int planted_ = 0;
};
class PearTree final : public Seedling {
 public:
  int harvest(int day) override { return day * planted_; }
};
int pure_virtual_call() { return PearTree().harvest(1); }

int second_thread() {
  crew::harvesters.send(opaque<int*>(nullptr));
  return 0;
}

OUTLINE int load_truck(const storage::Crate<Apple, 12>& crate) { return crate.weight() * 2; }
int inlined_template() {
  const Apple good{"gala", 140}, bad{opaque(reinterpret_cast<const char*>(0x18)), 160};
  storage::Crate<Apple, 12> crate;
  crate.pack(&good);
  crate.pack(&bad);
  return load_truck(crate);
}

OUTLINE size_t label_width(const Apple& apple) { return strlen(apple.variety) + 2; }
int libc_bad_pointer() {
  const Apple apple{opaque(reinterpret_cast<const char*>(0x2fffd000)), 150};
  return static_cast<int>(label_width(apple));
}

OUTLINE int by_weight(const void* a, const void* b) {
  return (*static_cast<Apple* const*>(a))->grams - (*static_cast<Apple* const*>(b))->grams;
}
OUTLINE int sort_row(std::vector<Apple*>& row) {
  qsort(row.data(), row.size(), sizeof row[0], by_weight);
  return row[0]->grams;
}
int libc_callback() {
  AppleTree tree(7);
  std::vector<Apple*> row;
  for (Apple& apple : tree.apples) row.push_back(&apple);
  row[5] = nullptr;
  return sort_row(row);
}

OUTLINE int read_ledger(const std::string& line) {
  if (line.find('=') == std::string::npos) throw std::runtime_error("ledger: no '=' in \"" + line + "\"");
  return static_cast<int>(line.size());
}
int uncaught_exception() {
  const std::vector<std::string> ledger{"apples=120", "crates"};
  return for_each_in(ledger, [](const std::string& line) { return read_ledger(line); });
}

OUTLINE int sell(Apple* apples) {
  const int grams = apples->grams;
  delete[] apples;
  return grams;
}
int double_free() {
  Apple* apples = opaque(new Apple[4]{{"gala", 140}, {"gala", 141}, {"boskoop", 170}, {"boskoop", 171}});
  return sell(apples) + sell(apples);
}

OUTLINE int close_gate(bool open) {
  if (!open) __builtin_trap();
  return 1;
}
int trap() { return close_gate(opaque(0) != 0); }

OUTLINE int sum_pages(const volatile int* pages, size_t count) {
  int sum = 0;
  for (size_t i = 0; i < count; i += 1024) sum += pages[i];
  return sum;
}
int bus_error() {  // the file is one page long, its mapping two
  const int file = memfd_create("yield", 0);
  if (ftruncate(file, 4096)) return 1;
  void* pages = mmap(nullptr, 8192, PROT_READ, MAP_SHARED, file, 0);
  return sum_pages(static_cast<const volatile int*>(pages), 2048);
}

OUTLINE int harvest_all(const std::vector<std::unique_ptr<Tree>>& trees, int day) {
  return for_each_in(trees, [day](const std::unique_ptr<Tree>& tree) { return tree->harvest(day); });
}
int stale_object() {
  std::vector<std::unique_ptr<Tree>> trees;
  for (int i = 1; i <= 3; i++) trees.push_back(std::make_unique<AppleTree>(i));
  *reinterpret_cast<uintptr_t*>(trees[1].get()) = opaque<uintptr_t>(0x9e9e9e9e9e9e9e9e);  // its vtable
  return harvest_all(trees, 200);
}

struct Way {
  const char* kind;
  int (*die)();
};
const Way ways[] = {
    {"null", null_dereference},       {"abort", abort_with_message},     {"overflow", stack_overflow},  {"divide", division_by_zero},
    {"wild-jump", wild_jump},         {"null-call", null_call},          {"pure", pure_virtual_call},   {"thread", second_thread},
    {"inlined", inlined_template},    {"strlen", libc_bad_pointer},      {"qsort", libc_callback},      {"exception", uncaught_exception},
    {"double-free", double_free},     {"trap", trap},                    {"bus", bus_error},            {"vtable", stale_object},
};

}  // namespace orchard

int main(int argc, char** argv) {
  crashpad_client_install("orchard", "2.1.0");
  orchard::crew::harvesters.start();
  for (const orchard::Way& way : orchard::ways) {
    if (argc > 1 && !strcmp(argv[1], way.kind)) printf("%s: survived with %d\n", way.kind, way.die());
  }
  fprintf(stderr, "usage: orchard KIND, and KIND kills it\n");
  _exit(2);
}

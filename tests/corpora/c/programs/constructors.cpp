// Objects that are made before the first call, in their order, with and without priorities, and once.
#include <stdint.h>

static int order[8], count;
static void note(int what) { order[count++ % 8] = what; }

struct Noted {
    explicit Noted(int what) : what(what) { note(what); }
    virtual int value() const { return what * 3; }
    int what;
};

static Noted first(1);
__attribute__((init_priority(200))) Noted early(2);
__attribute__((init_priority(101))) Noted earliest(3);
static int seeded = first.value() + early.value() * earliest.value();
__attribute__((constructor)) static void function() { note(4); }

static int calls;
static Noted &local() {
    static Noted made(calls + 5);
    return made;
}

extern "C" int result() {
    uint32_t hash = 1;
    for (int i = 0; i < count; i++) hash = hash * 31 + uint32_t(order[i]);
    for (calls = 0; calls < 3; calls++) hash = hash * 31 + uint32_t(local().value());
    return int(hash * 31 + uint32_t(seeded) + uint32_t(count));
}

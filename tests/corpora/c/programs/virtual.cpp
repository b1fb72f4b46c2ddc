// Virtual calls, multiple and virtual inheritance, templates, pointers to members, and objects on a heap of our own.
#include <stddef.h>
#include <stdint.h>

alignas(16) static char heap[4096];
static size_t used;
void *operator new(size_t size) {
    void *at = heap + used;
    used += (size + 15) & ~size_t(15);
    return at;
}
void operator delete(void *) noexcept {}
void operator delete(void *, size_t) noexcept {}
extern "C" void __cxa_pure_virtual() { __builtin_trap(); }

struct Shape {
    virtual ~Shape() { gone++; }
    virtual int area() const = 0;
    virtual int sides() const { return 0; }
    static int gone;
};
int Shape::gone = 0;

struct Named {
    explicit Named(int name) : name(name) {}
    virtual int id() const { return name * 1000; }
    virtual ~Named() = default;
    int name;
};

struct Square : Shape, Named {
    explicit Square(int side) : Named(4), side(side) {}
    int area() const override { return side * side; }
    int sides() const override { return 4; }
    int id() const override { return Named::id() + side; }
    int side;
};

struct Circle final : Shape {
    explicit Circle(int radius) : radius(radius) {}
    int area() const override { return 355 * radius * radius / 113; }
    int radius;
};

struct Base { int x = 5; virtual int get() { return x; } };
struct Left : virtual Base { int get() override { return x + 10; } };
struct Right : virtual Base { int y = 2; };
struct Both : Left, Right { int get() override { return Left::get() * y; } };

template <typename T, int N> struct Ring {
    T values[N] = {};
    int at = 0;
    void put(T value) { values[at++ % N] = value; }
    template <typename F> T fold(T start, F f) const {
        for (T value : values) start = f(start, value);
        return start;
    }
};

extern "C" int result() {
    Shape *shapes[] = {new Square(3), new Circle(7), new Square(11), new Circle(2)};
    uint32_t hash = 17;
    for (Shape *shape : shapes) hash = hash * 31 + uint32_t(shape->area() * 10 + shape->sides());
    auto *square = static_cast<Square *>(shapes[2]);
    Named *named = square;
    hash = hash * 31 + uint32_t(named->id());
    int (Shape::*member)() const = &Shape::sides;
    for (Shape *shape : shapes) hash = hash * 31 + uint32_t((shape->*member)());
    Both both;
    Base &base = both;
    Right &right = both;
    right.x += 1;
    hash = hash * 31 + uint32_t(base.get());
    Ring<uint32_t, 5> ring;
    for (uint32_t i = 0; i < 13; i++) ring.put(i * i);
    hash = ring.fold(hash, [&](uint32_t a, uint32_t b) { return a * 33 + b + uint32_t(square->side); });
    for (Shape *shape : shapes) delete shape;
    return int(hash + uint32_t(Shape::gone));
}

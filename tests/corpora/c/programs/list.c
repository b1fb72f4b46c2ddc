/* Lists and trees: an insertion into a sorted list, a merge sort of it, a reversal, a binary tree with removals, and a
 * sort by a comparison that is a pointer. */
#include <stddef.h>
#include <stdint.h>

struct node { struct node *next, *left, *right; int32_t key; uint16_t count; uint8_t mark; };
static struct node nodes[300];
static size_t used;

static struct node *make(int32_t key) {
    struct node *n = &nodes[used++ % 300];
    *n = (struct node){.key = key, .count = 1};
    return n;
}

static int ascending(const struct node *a, const struct node *b) { return a->key <= b->key; }
static int descending(const struct node *a, const struct node *b) { return a->key >= b->key; }
static int by_digits(const struct node *a, const struct node *b) { return a->key % 10 <= b->key % 10; }

static struct node *merge(struct node *a, struct node *b, int (*first)(const struct node *, const struct node *)) {
    struct node head = {0}, *tail = &head;
    while (a && b) {
        struct node **from = first(a, b) ? &a : &b;
        tail = tail->next = *from;
        *from = (*from)->next;
    }
    tail->next = a ? a : b;
    return head.next;
}

static struct node *sort(struct node *list, int (*first)(const struct node *, const struct node *)) {
    if (!list || !list->next) return list;
    struct node *slow = list, *fast = list->next;
    while (fast && fast->next) slow = slow->next, fast = fast->next->next;
    struct node *half = slow->next;
    slow->next = NULL;
    return merge(sort(list, first), sort(half, first), first);
}

static struct node *reverse(struct node *list) {
    struct node *out = NULL;
    while (list) {
        struct node *next = list->next;
        list->next = out, out = list, list = next;
    }
    return out;
}

static void insert(struct node **tree, struct node *n) {
    while (*tree && (*tree)->key != n->key) tree = n->key < (*tree)->key ? &(*tree)->left : &(*tree)->right;
    if (*tree) (*tree)->count++;
    else *tree = n;
}

static void erase(struct node **tree, int32_t key) {
    while (*tree && (*tree)->key != key) tree = key < (*tree)->key ? &(*tree)->left : &(*tree)->right;
    struct node *n = *tree;
    if (!n) return;
    if (!n->left) { *tree = n->right; return; }
    if (!n->right) { *tree = n->left; return; }
    struct node **least = &n->right;
    while ((*least)->left) least = &(*least)->left;
    struct node *m = *least;
    *least = m->right;
    m->left = n->left, m->right = n->right, *tree = m;
}

static uint32_t walk(const struct node *n, uint32_t hash, int depth) {
    if (!n) return hash * 3 + 1;
    hash = walk(n->left, hash, depth + 1);
    hash = hash * 31 + (uint32_t)n->key * n->count + (uint32_t)depth;
    return walk(n->right, hash, depth + 1);
}

int result(void) {
    uint32_t seed = 7, hash = 5381;
    struct node *list = NULL, *tree = NULL;
    for (int i = 0; i < 100; i++) {
        seed = seed * 1664525u + 1013904223u;
        struct node *n = make((int32_t)(seed >> 20) - 2048);
        n->next = list, list = n;
    }
    int (*const orders[])(const struct node *, const struct node *) = {ascending, by_digits, descending};
    for (int i = 0; i < 6; i++) {
        list = reverse(sort(list, orders[i % 3]));
        for (const struct node *n = list; n; n = n->next) hash = hash * 33 ^ (uint32_t)n->key;
    }
    for (int i = 0; i < 150; i++) {
        seed = seed * 1664525u + 1013904223u;
        insert(&tree, make((int32_t)(seed >> 25)));
        if (i % 3 == 2) erase(&tree, (int32_t)(seed >> 24 & 0x7f));
    }
    return (int)walk(tree, hash, 0);
}

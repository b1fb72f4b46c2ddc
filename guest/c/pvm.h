/* Exports and imports of guests in C.
 *
 *     PVM_IMPORT(uint64_t, ask, (uint32_t question), 1, 1)
 *     PVM_EXPORT(answer, 1, 1)
 *     uint64_t answer(uint64_t x) { return ask((uint32_t)x) + 1; }
 *
 * The numbers are how many registers arguments and results take: up to 6, and up to 2; a 64-bit number takes two on a
 * 32-bit machine. Compile and link with
 *
 *     clang-19 --target=riscv64-unknown-elf -march=rv64emac_zbb -mabi=lp64e -mno-strict-align -ffreestanding -O2 \
 *         -c guest.c -o guest.o
 *     pvm link guest.o -o guest.polkavm
 *
 * (for 32 bits riscv32, rv32emac_zbb and ilp32e). Several objects become one by `ld.lld-19 -r`; a program that is linked
 * needs `--emit-relocs`. If the compiler emits calls of memcpy or similar functions, include pvm_memory.h.
 */
#ifndef PVM_H
#define PVM_H

#include <stddef.h>
#include <stdint.h>

#if __riscv_xlen == 64
#define PVM_POINTER ".8byte "
#define PVM_PADDING ".4byte 0\n"
#else
#define PVM_POINTER ".4byte "
#define PVM_PADDING ""
#endif

/* The record of a function: its name and its registers. */
#define PVM_RECORD(kind, name, inputs, outputs)                                                                         \
    ".pushsection .rodata.pvm_" kind "_" name ",\"a\",@progbits\n"                                                      \
    ".Lpvm_" kind "_name_" name ": .ascii \"" name "\"\n"                                                               \
    ".Lpvm_" kind "_end_" name ":\n"                                                                                    \
    ".popsection\n"                                                                                                     \
    ".pushsection .polkavm_metadata,\"aw\",@progbits\n"                                                                 \
    ".Lpvm_" kind "_" name ": .byte 1\n"                                                                                \
    ".4byte 0\n"                                                                                                        \
    ".4byte .Lpvm_" kind "_end_" name " - .Lpvm_" kind "_name_" name "\n"                                               \
    PVM_POINTER ".Lpvm_" kind "_name_" name "\n"                                                                        \
    ".byte " #inputs ", " #outputs "\n"                                                                                 \
    ".popsection\n"

/* Exports `function`, a global one, to the host. */
#define PVM_EXPORT(function, inputs, outputs)                                                                           \
    __asm__(PVM_RECORD("export", #function, inputs, outputs)                                                            \
            ".pushsection .polkavm_exports,\"aR\",@note\n"                                                              \
            ".byte 1\n"                                                                                                 \
            PVM_POINTER ".Lpvm_export_" #function "\n"                                                                  \
            PVM_POINTER #function "\n"                                                                                  \
            ".popsection\n");

/* Imports the host function `name`. */
#define PVM_IMPORT(result, name, parameters, inputs, outputs)                                                           \
    result name parameters;                                                                                             \
    __asm__(PVM_RECORD("import", #name, inputs, outputs)                                                                \
            ".pushsection .text.polkavm_import." #name ",\"ax\",@progbits\n"                                            \
            ".globl " #name "\n"                                                                                        \
            ".type " #name ", @function\n" #name ":\n"                                                                  \
            ".insn r 0xb, 0, 0, zero, zero, zero\n"                                                                     \
            "auipc zero, %pcrel_hi(.Lpvm_import_" #name ")\n"                                                           \
            PVM_PADDING                                                                                                 \
            "ret\n"                                                                                                     \
            ".popsection\n");

/* The guest needs a stack of at least so many bytes. */
#define PVM_MIN_STACK_SIZE(bytes)                                                                                       \
    __asm__(".pushsection .polkavm_min_stack_size,\"a\",@progbits\n"                                                    \
            ".4byte " #bytes "\n"                                                                                       \
            ".popsection\n");

/* Stops the program with a trap. */
static inline __attribute__((noreturn)) void pvm_trap(void) {
    __asm__ volatile("unimp");
    __builtin_unreachable();
}

#endif

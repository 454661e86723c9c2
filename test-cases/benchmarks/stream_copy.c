// SPDX-License-Identifier: Apache-2.0
// The copy of STREAM (McCalpin 1995) in plain C: the best of some repetitions, bytes read and written, in GB/s.
// Built without the compiler's own memcpy, which would write past the caches where the kit's kernels do not.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { REPEATS = 12 };

static float *source, *target;
static size_t elements;
static int threads;
static pthread_barrier_t barrier;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *work(void *argument) {
  const size_t number = (size_t)argument, part = elements / (size_t)threads;
  const float *restrict from = source + number * part;
  float *restrict to = target + number * part;
  double *best = malloc(sizeof(double));
  *best = 1e9;
  for (int repeat = 0; repeat < REPEATS; ++repeat) {
    pthread_barrier_wait(&barrier);
    const double began = now();
    for (size_t i = 0; i < part; ++i) to[i] = from[i];
    __asm__ volatile("" ::: "memory");
    pthread_barrier_wait(&barrier);
    const double took = now() - began;
    if (took < *best) *best = took;
  }
  return best;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  threads = atoi(argv[1]);
  elements = (size_t)atoll(argv[2]) / sizeof(float);
  if (threads < 1 || threads > 256 || elements < 1) return 2;
  source = aligned_alloc(4096, elements * sizeof(float));
  target = aligned_alloc(4096, elements * sizeof(float));
  if (!source || !target) return 1;
  for (size_t i = 0; i < elements; ++i) source[i] = target[i] = (float)i;
  pthread_t ids[256];
  pthread_barrier_init(&barrier, NULL, (unsigned)threads);
  for (size_t i = 0; i < (size_t)threads; ++i) pthread_create(&ids[i], NULL, work, (void *)i);
  double best = 1e9;
  for (int i = 0; i < threads; ++i) {
    void *mine;
    pthread_join(ids[i], &mine);
    if (*(double *)mine < best) best = *(double *)mine;
  }
  printf("%.3f\n", 2e-9 * (double)(elements * sizeof(float)) / best);
  return 0;
}

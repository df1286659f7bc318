// How good a tracker is, against ground truth.
//
// CLEAR MOT (Bernardin and Stiefelhagen 2008; Li et al. 2009 for MT, PT, ML, FM), IoU >= 0.5: a
// pair of the past stays while it still overlaps; the rest is assigned as many as possible, then
// with the highest overlap.
//     MOTA = 1 - (FN + FP + IDSW) / truths
//     MOTP = mean IoU of the matches (py-motmetrics prints 1 - MOTP)
//     MT: matched in 80 % or more of its frames, ML: in less than 20 %, PT: between
//     FM: how often an object was lost and found again
// IDF1 (Ristani et al. 2016): one partner per identity over the whole sequence, IDTP the most boxes
// that can be explained so.
//     IDP = IDTP / results    IDR = IDTP / truths    IDF1 = 2 IDTP / (truths + results)
// HOTA (Luiten et al. 2020), mean over the 19 overlap limits 0.05 ... 0.95, matched as its authors'
// TrackEval does (once, by overlap times fit of the identities, not once a limit):
//     DetA = TP / (TP + FN + FP)    AssA = mean over TP of TPA / (TPA + FNA + FPA)
//     HOTA = sqrt(DetA * AssA)
#pragma once

#include "pipeline/vision/mot.h"

#define FV_HOTA_LIMITS 19

// Sums that may be added up over sequences.
typedef struct {
    int64_t truths, results; // boxes
    int64_t tp, fp, fn, idsw, fm;
    int objects, mt, pt, ml; // identities of the ground truth
    double overlap;          // sum of IoU over tp
    int64_t idtp;
    double hota_tp[FV_HOTA_LIMITS];
    double hota_association[FV_HOTA_LIMITS]; // sum over TP of TPA / (TPA + FNA + FPA)
} fv_mot_sums;

// Ratios 0..1 (MOTA may be negative); 0 where there is nothing to divide by.
typedef struct {
    double mota, motp, recall, precision, idf1, idp, idr, hota, deta, assa;
} fv_mot_rates;

// Both prepared by fv_mot_prepare and sorted by frame. Fails when an id comes twice in one frame.
bool fv_mot_score(const fv_mot_rows *truth, const fv_mot_rows *result, fv_mot_sums *sums,
                  fv_err *err);
void fv_mot_add(fv_mot_sums *total, const fv_mot_sums *more);
fv_mot_rates fv_mot_rate(const fv_mot_sums *sums);

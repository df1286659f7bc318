// What a run adds up to: where objects were, how many there were, what happened; as CSV and PNG.
//
//     heatmap-LABEL.csv   FV_HEATMAP_ROWS lines of FV_HEATMAP_COLUMNS numbers: seconds that anchors
//                         (bottom centre) of the class spent in each cell of the picture
//     heatmap-LABEL.png   the same as colours, black (none) over red and yellow to white (most), in
//                         the shape of the picture
//     occupancy.csv       minute,label,mean,max,new: objects in the picture at a time, and ids that
//                         were not seen before
//     occupancy-LABEL.png a bar for every minute: bright up to the mean, dim up to the max
//                         (chart.h); of more than 768 minutes the last ones
//     events.csv          minute,rule,event,direction,count: moments and starts
//
// Only objects with an id count, predicted positions included; boxes are taken to hundredths of a
// pixel, as records are written, so that stored tracks give the files of the live run. An object is taken to be where it is
// until the next frame, for a second at most. Minutes are stream time from 0. Of one stream; memory
// grows with minutes, classes and rules only.
// Thread-safety: belongs to one thread at a time.
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

enum { FV_HEATMAP_COLUMNS = 64, FV_HEATMAP_ROWS = 36 };

typedef struct fv_heatmap fv_heatmap;

fv_heatmap *fv_heatmap_create(void);
void fv_heatmap_add(fv_heatmap *h, const fv_record *record, const fv_event *events, int n_events);
void fv_heatmap_add_events(fv_heatmap *h, const fv_event *events, int n); // behind the last frame
// Writes the files into `folder`, which is made when its parent is there. Labels in file names keep
// letters, digits, '-' and '_'.
bool fv_heatmap_write(const fv_heatmap *h, const char *folder, fv_err *err);
void fv_heatmap_destroy(fv_heatmap **h);

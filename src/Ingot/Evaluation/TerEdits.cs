namespace Ingot.Evaluation;

/// <summary>Counts the edits of TER: shifts, found greedily with Tercom's limits, and then the edit distance.</summary>
internal sealed class TerEdits
{
    private const int MaxShiftSize = 10, MaxShiftDistance = 50, MaxCandidates = 1000, BeamWidth = 25;
    private const int Infinity = int.MaxValue / 2;

    private readonly int[] _reference;
    private readonly int _width;
    private readonly int[] _costs; // [words of the hypothesis + 1][words of the reference + 1]
    private readonly Edit[] _edits;
    private int[] _computed = []; // The words whose rows the table has.

    private TerEdits(int hypothesisLength, int[] reference)
    {
        (_reference, _width) = (reference, reference.Length + 1);
        var size = (hypothesisLength + 1L) * _width;
        if (size > 1 << 28)
        {
            throw new InvalidDataException($"a segment of {hypothesisLength} words against a reference of {reference.Length} is too much "
                + "for TER: break it into sentences");
        }

        (_costs, _edits) = (new int[size], new Edit[size]);
        for (var j = 0; j < _width; j++)
            (_costs[j], _edits[j]) = (j, Edit.Insert);
    }

    private enum Edit : byte
    {
        None,
        Keep,
        Replace,
        Insert,
        Delete,
    }

    /// <summary>How many edits make the hypothesis the reference; all its words are insertions if that is empty.</summary>
    public static long Count(int[] hypothesis, int[] reference)
    {
        if (reference.Length == 0)
            return hypothesis.Length;
        var edits = new TerEdits(hypothesis.Length, reference);
        long shifts = 0;
        for (var candidates = 0; ; shifts++)
        {
            var (gain, shifted) = edits.FindShift(hypothesis, ref candidates);
            if (candidates >= MaxCandidates || gain <= 0)
                break;
            hypothesis = shifted;
        }

        return shifts + edits.Distance(hypothesis);
    }

    // The shift that lowers the distance most; among equals the longest, then the first by where it comes from, then by where it goes.
    private (int Gain, int[] Shifted) FindShift(int[] words, ref int candidates)
    {
        var before = Distance(words);
        var (aligned, referenceWrong, hypothesisWrong) = Align(words.Length);
        var best = (Gain: int.MinValue, Length: 0, Start: 0, Target: 0);
        int[] shifted = words;
        foreach (var (start, referenceStart, length) in CommonSequences(words))
        {
            // Both sides must be wrong so far, and the place where the words belong must not be among themselves.
            if (!hypothesisWrong.AsSpan(start, length).Contains(true) || !referenceWrong.AsSpan(referenceStart, length).Contains(true)
                || (aligned[referenceStart] >= start && aligned[referenceStart] < start + length))
            {
                continue;
            }

            var last = -1;
            for (var offset = -1; offset < length; offset++)
            {
                var target = referenceStart + offset < 0 ? 0 : aligned[referenceStart + offset] + 1;
                if (target == last)
                    continue;
                last = target;
                var tried = Shift(words, start, length, target);
                var candidate = (before - Distance(tried), length, -start, -target);
                candidates++;
                if (candidate.CompareTo(best) > 0)
                    (best, shifted) = (candidate, tried);
            }

            if (candidates >= MaxCandidates)
                break;
        }

        return (best.Gain == int.MinValue ? 0 : best.Gain, shifted);
    }

    private static int[] Shift(int[] words, int start, int length, int target)
    {
        var moved = words.AsSpan(start, length);
        int[] rest = [.. words[..start], .. words[(start + length)..]];
        // A target within the words themselves counts on from behind them.
        var place = target < start ? target : target > start + length ? target - length : Math.Min(target, rest.Length);
        return [.. rest[..place], .. moved, .. rest[place..]];
    }

    private IEnumerable<(int Start, int ReferenceStart, int Length)> CommonSequences(int[] words)
    {
        for (var start = 0; start < words.Length; start++)
        {
            var first = Math.Max(0, start - MaxShiftDistance);
            var end = Math.Min(_reference.Length, start + MaxShiftDistance + 1);
            for (var referenceStart = first; referenceStart < end; referenceStart++)
            {
                var most = Math.Min(MaxShiftSize, Math.Min(words.Length - start, _reference.Length - referenceStart));
                for (var length = 1; length <= most && words[start + length - 1] == _reference[referenceStart + length - 1]; length++)
                    yield return (start, referenceStart, length);
            }
        }
    }

    // Levenshtein's distance near the diagonal. Rows of words that the table has already are kept.
    private int Distance(int[] words)
    {
        var ratio = words.Length > 0 ? _reference.Length / (double)words.Length : 1;
        var beam = BeamWidth < ratio / 2 ? (int)Math.Ceiling((ratio / 2) + BeamWidth) : BeamWidth;
        for (var i = 1 + words.AsSpan().CommonPrefixLength(_computed); i <= words.Length; i++)
        {
            var diagonal = (int)Math.Floor(i * ratio);
            var first = Math.Max(0, diagonal - beam);
            var end = i == words.Length ? _width : Math.Min(_width, diagonal + beam);
            var above = _costs.AsSpan((i - 1) * _width, _width);
            var row = _costs.AsSpan(i * _width, _width);
            var edits = _edits.AsSpan(i * _width, _width);
            row.Fill(Infinity);
            edits.Clear();
            for (var j = first; j < end; j++)
            {
                if (j == 0)
                {
                    (row[0], edits[0]) = (above[0] + 1, Edit.Delete);
                    continue;
                }

                var isSame = words[i - 1] == _reference[j - 1];
                Take(above[j - 1] + (isSame ? 0 : 1), isSame ? Edit.Keep : Edit.Replace, ref row[j], ref edits[j]);
                Take(above[j] + 1, Edit.Delete, ref row[j], ref edits[j]);
                Take(row[j - 1] + 1, Edit.Insert, ref row[j], ref edits[j]);
            }
        }

        _computed = words;
        return _costs[(words.Length * _width) + _reference.Length];
    }

    private static void Take(int cost, Edit edit, ref int best, ref Edit bestEdit)
    {
        if (cost < best)
            (best, bestEdit) = (cost, edit);
    }

    // For each word of the reference the place in the hypothesis where it is, or after which it is missing; and which words are wrong.
    private (int[] Aligned, bool[] ReferenceWrong, bool[] HypothesisWrong) Align(int length)
    {
        var aligned = new int[_reference.Length];
        var referenceWrong = new bool[_reference.Length];
        var hypothesisWrong = new bool[length];
        for (int i = length, j = _reference.Length; i > 0 || j > 0;)
        {
            var edit = _edits[(i * _width) + j];
            if (edit == Edit.None)
                throw new InvalidOperationException("the edit distance left its beam");
            var takesHypothesis = edit != Edit.Insert;
            var takesReference = edit != Edit.Delete;
            if (takesReference)
                (aligned[j - 1], referenceWrong[j - 1]) = (i - 1, edit != Edit.Keep);
            if (takesHypothesis)
                hypothesisWrong[i - 1] = edit != Edit.Keep;
            (i, j) = (takesHypothesis ? i - 1 : i, takesReference ? j - 1 : j);
        }

        return (aligned, referenceWrong, hypothesisWrong);
    }
}

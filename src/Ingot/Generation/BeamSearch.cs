using System.Runtime.InteropServices;

namespace Ingot.Generation;

/// <summary>A text that beam search found.</summary>
/// <param name="Tokens">What was written, without an end-of-text token.</param>
/// <param name="Score">log-probability / length^lengthPenalty, the end-of-text token included.</param>
/// <param name="Ending">Why it ended.</param>
internal sealed record BeamText(IReadOnlyList<int> Tokens, double Score, FinishReason Ending);

/// <summary>
/// Beam search as Hugging Face Transformers does it: of all continuations of the running texts by a token, as many of the most probable
/// as can end and still leave enough; those among the first that end are finished texts, the first others run on.
/// <para>
/// A text that runs on stays in the row of the one that it continues. Where one is continued twice, the second takes the row of one that
/// is not continued, and gets what was written so far: at most (beams − 1) · length · 2 · layers · key/value width are copied for a
/// token, and nothing of the prompt.
/// </para>
/// </summary>
/// <param name="decoder">Runs the model.</param>
/// <param name="options">The settings.</param>
/// <param name="ends">Ids that end a text.</param>
/// <param name="isAtStop">Whether a text, given as the tokens written, ends here for another reason.</param>
internal sealed class BeamSearch(Decoder decoder, GenerationOptions options, IReadOnlyList<int> ends,
    Func<ReadOnlySpan<int>, bool> isAtStop)
{
    /// <summary>The best texts of each sequence, the best first, as many as <see cref="GenerationOptions.NumReturnSequences"/>.</summary>
    /// <param name="sequences">What they begin with and, where the model has an encoder, what it reads.</param>
    /// <param name="rows">
    /// How many beams run at a time, those of one sequence at least; when a search ends, the next takes its rows.
    /// </param>
    /// <param name="cancellationToken">Ends it before the next token.</param>
    /// <returns>The number of a sequence, from 0, and its texts, in the order in which searches end.</returns>
    /// <exception cref="ArgumentException">A prompt and its text may be longer than the model's context.</exception>
    public IEnumerable<(int Number, IReadOnlyList<BeamText> Texts)> Search(IReadOnlyList<Sequence> sequences, int rows,
        CancellationToken cancellationToken)
    {
        foreach (var sequence in sequences)
            RequireRoom(sequence);
        var places = Math.Clamp(rows / options.NumBeams, 1, sequences.Count);
        decoder.Reserve(places * options.NumBeams, sequences.Max(s => s.Prompt.Count + s.MaxNewTokens),
            sequences.Max(s => s.Source?.Count ?? 0));
        var searches = new List<State>();
        for (var next = 0; searches.Count > 0 || next < sequences.Count;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            while (searches.Count < places && next < sequences.Count)
            {
                var place = Enumerable.Range(0, places).First(place => searches.All(search => search.FirstRow != place * options.NumBeams));
                searches.Add(Begin(next, sequences[next], place * options.NumBeams));
                next++;
            }

            foreach (var search in searches)
                Advance(search);
            foreach (var search in searches.Where(search => search.IsDone))
                yield return (search.Number, [.. search.Finished.Take(options.NumReturnSequences)]);
            searches.RemoveAll(search => search.IsDone);
            if (next == sequences.Count)
                MoveTogether(searches);
            if (searches.Count > 0)
                Step(searches);
        }
    }

    private void RequireRoom(Sequence sequence)
    {
        if ((long)sequence.Prompt.Count + sequence.MaxNewTokens > decoder.Context)
        {
            throw new ArgumentException($"the prompt has {sequence.Prompt.Count} tokens and maxNewTokens is {sequence.MaxNewTokens}, but "
                + $"beam search does not go beyond the model's context, {decoder.Context} tokens: lower maxNewTokens, or shorten the "
                + "prompt");
        }
    }

    /// <summary>Reads a sequence's source and prompt into rows.</summary>
    private State Begin(int number, Sequence sequence, int firstRow)
    {
        if (sequence.Source is { } source)
            decoder.ReadSource(source);
        decoder.ReadPrompt(sequence.Prompt);
        for (var row = 0; row < options.NumBeams; row++)
            decoder.TakePrompt(firstRow + row, sequence.Prompt.Count);
        return new State(number, sequence, firstRow) { Running = [new Beam([.. sequence.Prompt], 0, Row: 0)] };
    }

    /// <summary>Continues a search by a token.</summary>
    private void Advance(State search)
    {
        search.Length++;
        search.Running = Place(search, Continue(search));
        search.IsDone = search.Running.Count == 0 || IsDone(search);
    }

    /// <summary>Whether no running text can displace a finished one any more, as far as the settings ask.</summary>
    private bool IsDone(State search)
    {
        if (search.Finished.Count < options.NumBeams)
            return false;
        if (options.EarlyStopping == EarlyStopping.True)
            return true;
        // A long text may yet be the better one where length is preferred.
        var final = options.EarlyStopping == EarlyStopping.Never && options.LengthPenalty > 0 ? search.Sequence.MaxNewTokens
            : search.Length;
        return Score(search.Running.Max(beam => beam.LogProbability), final) <= search.Finished[^1].Score;
    }

    private double Score(double logProbability, int length) => logProbability / Math.Pow(length, options.LengthPenalty);

    /// <summary>Finishes the texts that end with this token; gives those that run on.</summary>
    private List<Candidate> Continue(State search)
    {
        var next = new List<Candidate>();
        foreach (var (rank, candidate) in Best(search).Index())
        {
            var isEnd = ends.Contains(candidate.Token);
            var before = CollectionsMarshal.AsSpan(candidate.Parent.Tokens)[search.Sequence.Prompt.Count..];
            int[] written = [.. before, .. isEnd ? [] : new[] { candidate.Token }];
            var ending = isEnd || isAtStop(written) ? FinishReason.Stop
                : search.Length == search.Sequence.MaxNewTokens ? FinishReason.Length : (FinishReason?)null;
            if (ending is null && next.Count < options.NumBeams)
                next.Add(candidate);
            else if (ending is { } reason && rank < options.NumBeams)
                Finish(search.Finished, new BeamText(written, Score(candidate.LogProbability, search.Length), reason));
        }

        return next;
    }

    private void Finish(List<BeamText> finished, BeamText text)
    {
        var place = finished.FindIndex(other => other.Score < text.Score);
        finished.Insert(place < 0 ? finished.Count : place, text);
        if (finished.Count > options.NumBeams)
            finished.RemoveAt(finished.Count - 1);
    }

    /// <summary>The most probable continuations, in falling order.</summary>
    private IEnumerable<Candidate> Best(State search)
    {
        var count = Math.Max(2, 1 + ends.Count) * options.NumBeams;
        var all = new List<Candidate>();
        var logits = new float[decoder.Vocabulary];
        foreach (var beam in search.Running)
        {
            decoder.ReadLogits(search.FirstRow + beam.Row, logits);
            Probabilities.LogSoftmax(logits);
            var context = new LogitsContext(CollectionsMarshal.AsSpan(beam.Tokens), search.Sequence.Prompt.Count,
                search.Sequence.MaxNewTokens, ends);
            LogitsProcessors.Apply(logits, context, options);
            if (options.RenormalizeLogits)
                Probabilities.LogSoftmax(logits);
            all.AddRange(LogitsProcessors.Greatest(logits, count).Where(id => !float.IsNegativeInfinity(logits[id]))
                .Select(id => new Candidate(beam, id, beam.LogProbability + logits[id])));
        }

        return all.OrderByDescending(candidate => candidate.LogProbability).Take(count);
    }

    /// <summary>Gives every text that runs on a row with what it has in common with the one that it continues.</summary>
    private List<Beam> Place(State search, List<Candidate> next)
    {
        var free = new Stack<int>(Enumerable.Range(0, options.NumBeams).Except(next.Select(candidate => candidate.Parent.Row)));
        var stayed = new HashSet<int>();
        var beams = new List<Beam>();
        foreach (var (parent, token, logProbability) in next)
        {
            var row = parent.Row;
            if (!stayed.Add(row))
            {
                row = free.Pop();
                decoder.CopyCache(search.FirstRow + parent.Row, search.FirstRow + row, search.Sequence.Prompt.Count, parent.Tokens.Count);
            }

            beams.Add(new Beam([.. parent.Tokens, token], logProbability, row));
        }

        return beams;
    }

    /// <summary>Moves searches into the first rows, where none takes the others any more, so that none is computed in vain.</summary>
    private void MoveTogether(List<State> searches)
    {
        for (var place = 0; place < searches.Count; place++)
        {
            var first = place * options.NumBeams;
            if (searches.Any(search => search.FirstRow == first))
                continue;
            var last = searches.MaxBy(search => search.FirstRow)!;
            for (var row = 0; row < options.NumBeams; row++)
                decoder.MoveRow(last.FirstRow + row, first + row, last.Running[0].Tokens.Count - 1);
            last.FirstRow = first;
        }
    }

    private void Step(List<State> searches)
    {
        // Rows without a text compute at the same place as those beside them, where nothing is kept.
        var tokens = new int[searches.Max(search => search.FirstRow) + options.NumBeams];
        var positions = new int[tokens.Length];
        foreach (var search in searches)
        {
            positions.AsSpan(search.FirstRow, options.NumBeams).Fill(search.Running[0].Tokens.Count - 1);
            foreach (var beam in search.Running)
                tokens[search.FirstRow + beam.Row] = beam.Tokens[^1];
        }

        decoder.Step(tokens, positions);
    }

    /// <summary>
    /// A text that is not at its end, prompt included, and the row that its keys and values are in, counted from its search's first.
    /// </summary>
    private sealed record Beam(List<int> Tokens, double LogProbability, int Row);

    /// <summary>A beam with a further token.</summary>
    private sealed record Candidate(Beam Parent, int Token, double LogProbability);

    /// <summary>The search for the texts of a sequence, in rows from <see cref="FirstRow"/> on.</summary>
    private sealed class State(int number, Sequence sequence, int firstRow)
    {
        public int Number { get; } = number;

        public Sequence Sequence { get; } = sequence;

        public int FirstRow { get; set; } = firstRow;

        /// <summary>Tokens of the running texts, without the prompt.</summary>
        public int Length { get; set; }

        public List<Beam> Running { get; set; } = [];

        public List<BeamText> Finished { get; } = [];

        public bool IsDone { get; set; }
    }
}

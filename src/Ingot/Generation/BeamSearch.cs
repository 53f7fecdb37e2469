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
internal sealed class BeamSearch(Decoder decoder, GenerationOptions options, IReadOnlyList<int> ends, Func<ReadOnlySpan<int>, bool> isAtStop)
{
    private readonly List<BeamText> _finished = [];

    /// <summary>The best texts, the best first, as many as <see cref="GenerationOptions.NumReturnSequences"/>.</summary>
    /// <param name="prompt">What they begin with.</param>
    /// <param name="cancellationToken">Ends it before the next token.</param>
    /// <param name="source">What the encoder reads; null where the model has none.</param>
    /// <exception cref="ArgumentException">Prompt and text may be longer than the model's context.</exception>
    public IReadOnlyList<BeamText> Search(IReadOnlyList<int> prompt, CancellationToken cancellationToken, IReadOnlyList<int>? source = null)
    {
        var most = options.NewTokens(prompt.Count);
        if ((long)prompt.Count + most > decoder.Context)
        {
            throw new ArgumentException($"the prompt has {prompt.Count} tokens and maxNewTokens is {most}, but beam search does not go "
                + $"beyond the model's context, {decoder.Context} tokens: lower maxNewTokens, or shorten the prompt");
        }

        decoder.Reserve(options.NumBeams, prompt.Count + most, source?.Count ?? 0);
        if (source is not null)
            decoder.ReadSource(source);
        decoder.ReadPrompt(prompt);
        for (var row = 0; row < options.NumBeams; row++)
            decoder.TakePrompt(row, prompt.Count);
        _finished.Clear();
        List<Beam> running = [new Beam([.. prompt], 0, Row: 0)];
        for (var length = 1; running.Count > 0 && !IsDone(running, length - 1, most); length++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var next = Continue(running, prompt.Count, length, most);
            running = Place(next, prompt.Count);
            if (running.Count > 0)
                Step(running);
        }

        return [.. _finished.Take(options.NumReturnSequences)];
    }

    /// <summary>Whether no running text can displace a finished one any more, as far as the settings ask.</summary>
    private bool IsDone(List<Beam> running, int length, int most)
    {
        if (_finished.Count < options.NumBeams)
            return false;
        if (options.EarlyStopping == EarlyStopping.True)
            return true;
        // A long text may yet be the better one where length is preferred.
        var final = options.EarlyStopping == EarlyStopping.Never && options.LengthPenalty > 0 ? most : length;
        return Score(running.Max(beam => beam.LogProbability), final) <= _finished[^1].Score;
    }

    private double Score(double logProbability, int length) => logProbability / Math.Pow(length, options.LengthPenalty);

    /// <summary>Finishes the texts that end with this token; gives those that run on.</summary>
    private List<Candidate> Continue(List<Beam> running, int promptLength, int length, int most)
    {
        var next = new List<Candidate>();
        foreach (var (rank, candidate) in Best(running, promptLength, most).Index())
        {
            var isEnd = ends.Contains(candidate.Token);
            int[] written = [.. CollectionsMarshal.AsSpan(candidate.Parent.Tokens)[promptLength..], .. isEnd ? [] : new[] { candidate.Token }];
            var ending = isEnd || isAtStop(written) ? FinishReason.Stop : length == most ? FinishReason.Length : (FinishReason?)null;
            if (ending is null && next.Count < options.NumBeams)
                next.Add(candidate);
            else if (ending is { } reason && rank < options.NumBeams)
                Finish(new BeamText(written, Score(candidate.LogProbability, length), reason));
        }

        return next;
    }

    private void Finish(BeamText text)
    {
        var place = _finished.FindIndex(other => other.Score < text.Score);
        _finished.Insert(place < 0 ? _finished.Count : place, text);
        if (_finished.Count > options.NumBeams)
            _finished.RemoveAt(_finished.Count - 1);
    }

    /// <summary>The most probable continuations, in falling order.</summary>
    private IEnumerable<Candidate> Best(List<Beam> running, int promptLength, int most)
    {
        var count = Math.Max(2, 1 + ends.Count) * options.NumBeams;
        var all = new List<Candidate>();
        var logits = new float[decoder.Vocabulary];
        foreach (var beam in running)
        {
            decoder.ReadLogits(beam.Row, logits);
            Probabilities.LogSoftmax(logits);
            LogitsProcessors.Apply(logits, new LogitsContext(CollectionsMarshal.AsSpan(beam.Tokens), promptLength, most, ends), options);
            if (options.RenormalizeLogits)
                Probabilities.LogSoftmax(logits);
            all.AddRange(LogitsProcessors.Greatest(logits, count).Where(id => !float.IsNegativeInfinity(logits[id]))
                .Select(id => new Candidate(beam, id, beam.LogProbability + logits[id])));
        }

        return all.OrderByDescending(candidate => candidate.LogProbability).Take(count);
    }

    /// <summary>Gives every text that runs on a row with what it has in common with the one that it continues.</summary>
    private List<Beam> Place(List<Candidate> next, int promptLength)
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
                decoder.CopyCache(parent.Row, row, promptLength, parent.Tokens.Count);
            }

            beams.Add(new Beam([.. parent.Tokens, token], logProbability, row));
        }

        return beams;
    }

    private void Step(List<Beam> running)
    {
        // Rows without a text compute at the same place, where nothing is kept.
        var tokens = new int[options.NumBeams];
        var positions = new int[options.NumBeams];
        Array.Fill(positions, running[0].Tokens.Count - 1);
        foreach (var beam in running)
            tokens[beam.Row] = beam.Tokens[^1];
        decoder.Step(tokens, positions);
    }

    /// <summary>A text that is not at its end, prompt included, and the row that its keys and values are in.</summary>
    private sealed record Beam(List<int> Tokens, double LogProbability, int Row);

    /// <summary>A beam with a further token.</summary>
    private sealed record Candidate(Beam Parent, int Token, double LogProbability);
}

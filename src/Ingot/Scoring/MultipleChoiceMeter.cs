using System.Text;
using Ingot.Data;
using Ingot.Evaluation;
using Ingot.Models;

namespace Ingot.Scoring;

/// <summary>
/// Has a model answer multiple-choice questions, as EleutherAI's lm-evaluation-harness does: each choice is scored by the log-likelihood
/// of its tokens behind the context. White space at a context's end is moved to the choices, and a choice's tokens are those that the
/// whole has beyond as many as the context has by itself; so words are tokenized as in running text.
/// </summary>
public static class MultipleChoiceMeter
{
    // So many batches are gathered before they run, that choices of about one length meet.
    private const int BatchesAtOnce = 16;

    /// <summary>Answers the questions.</summary>
    /// <param name="model">The model.</param>
    /// <param name="data">Files of questions: JSON Lines, or lists in JSON.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Is told how many questions of how many are answered.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="InvalidDataException">A question is not as it must be; the message names its place.</exception>
    public static MultipleChoiceResult Run(LikelihoodModel model, IReadOnlyList<string> data, MultipleChoiceOptions? options = null,
        Action<long, long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        options ??= new MultipleChoiceOptions();
        if (model.Model is EncoderDecoderConfig)
        {
            throw new InvalidDataException($"{model.Folder} holds a {model.Model.ModelType}, which writes a text for a source: choices are "
                + "scored as continuations, by models such as a gpt2, llama or qwen3");
        }

        var positions = model.Model.MaxPositions;
        var length = options.MaxLength == 0 ? positions : options.MaxLength;
        if (length < 1 || length > positions)
            throw new ArgumentException($"maxLength is {length}, but must be 1 to {positions}, the positions of the model");
        var bos = !options.AddBosToken ? (int?)null : model.Tokenizer.BosId
            ?? throw new ArgumentException("addBosToken is set, but the tokenizer has no token that begins texts");

        var prompt = options.QuestionField is { } field
            ? new RecordPrompt(options.PromptTemplate, field) : new RecordPrompt(options.PromptTemplate, "question", "query");
        List<ChoiceItem> items = [.. data.SelectMany(DataRecord.Read).Select(record => ChoiceItem.Read(record, prompt, options))];
        prompt.CheckDiffered();
        if (items.Count == 0)
            throw new InvalidDataException($"{string.Join(", ", data)}: there are no questions");

        var results = new List<ChoiceLikelihoods>(items.Count);
        foreach (var part in Parts(items, BatchesAtOnce * model.Rows))
        {
            List<LikelihoodWindow> windows = [.. part.SelectMany(item =>
                item.Choices.Select(choice => Window(model, item, options.TargetDelimiter + choice, bos, length)))];
            var likelihoods = model.Run(windows,
                done => progress?.Invoke(results.Count + ((long)part.Count * done / windows.Count), items.Count), cancellationToken);
            var at = 0;
            foreach (var item in part)
            {
                var count = item.Choices.Count;
                results.Add(new ChoiceLikelihoods(item.Place, item.Answer, likelihoods[at..(at + count)],
                    [.. windows.GetRange(at, count).Select(window => window.Count)],
                    [.. item.Choices.Select(choice => choice.EnumerateRunes().Count())],
                    [.. item.Choices.Select(Encoding.UTF8.GetByteCount)]));
                at += count;
            }
        }

        var signature = new MetricSignature().Add("prompt", prompt.Signature).Add("delim", $"\"{options.TargetDelimiter}\"")
            .Add("bos", options.AddBosToken).Add("shots", 0).Add("ctx", length).Add("precision", model.IsBf16 ? "bf16" : "fp32")
            .Add("version", "lm-eval-0.4+ingot");
        return new MultipleChoiceResult(results, signature);
    }

    /// <summary>The tokens of a context and of what goes on from it, the latter as targets.</summary>
    private static LikelihoodWindow Window(LikelihoodModel model, ChoiceItem item, string continuation, int? bos, int length)
    {
        var (tokenizer, context) = (model.Tokenizer, item.Context);
        var end = PythonText.TrimEnd(context).Length;
        (context, continuation) = (context[..end], context[end..] + continuation);
        var (before, whole) = (new List<int>(), new List<int>());
        if ((bos ?? (context.Length == 0 ? tokenizer.BosId ?? tokenizer.EndOfTextId : null)) is { } first)
        {
            before.Add(first);
            whole.Add(first);
        }

        try
        {
            tokenizer.Encode(context, before);
            tokenizer.Encode(context + continuation, whole);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{item.Place}: {e.Message}", e);
        }

        var count = whole.Count - before.Count;
        if (before.Count == 0)
            throw new InvalidDataException($"{item.Place}: the context is empty, and the tokenizer has no token that begins or ends texts");
        if (count < 1)
            throw new InvalidDataException($"{item.Place}: \"{continuation}\" adds no token to its context: change targetDelimiter");
        if (count > length)
        {
            throw new InvalidDataException(
                $"{item.Place}: \"{continuation}\" has {count} tokens, more than the {length} that the model reads");
        }

        // A context that is too long loses its beginning.
        int[] kept = [.. whole.TakeLast(length + 1)];
        var targets = new int[kept.Length - 1];
        for (var i = 0; i < targets.Length; i++)
            targets[i] = i >= targets.Length - count ? kept[i + 1] : Batch.Ignore;
        return new LikelihoodWindow(kept[..^1], targets);
    }

    private static IEnumerable<List<ChoiceItem>> Parts(IEnumerable<ChoiceItem> items, int windows)
    {
        var (part, count) = (new List<ChoiceItem>(), 0);
        foreach (var item in items)
        {
            part.Add(item);
            count += item.Choices.Count;
            if (count < windows)
                continue;
            yield return part;
            (part, count) = ([], 0);
        }

        if (part.Count > 0)
            yield return part;
    }
}

using System.Text;
using Ingot.Chat;
using Ingot.Data;
using Ingot.Tests.Tokenizers;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Chat;

public class ExampleEncoderTests
{
    // One token a byte, but <|endoftext|> and <|im_end|> are one each.
    private static readonly Tokenizer Bytes = BpeTrainer.Train(["abc"u8.ToArray()], vocabularySize: 257);

    private static readonly ConversationExample Conversation = new(
        "a:1", [new("system", "S."), new("user", "1+1?"), new("assistant", "2"), new("user", "2+2?"), new("assistant", "4 é")]);

    private static IEnumerable<TestCaseData> Templates()
    {
        // The same conversation in the same form, with marks and without.
        yield return new TestCaseData(ChatTemplate.BuiltIn("chatml"));
        yield return new TestCaseData(Unmarked("chatml.jinja"));
    }

    [TestCaseSource(nameof(Templates))]
    public void OnlyAnswersWithTheirEndsAreLearnt(ChatTemplate template)
    {
        TokenizedExample example = new ExampleEncoder(Bytes, template).Encode(Conversation)!;
        Assert.That(Mark(example), Is.EqualTo(
            "<|im_start|>system\nS.<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n«2<|im_end|>»\n"
            + "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n«4 é<|im_end|>»\n"));
    }

    [TestCaseSource(nameof(Templates))]
    public void TheLastAnswerAloneIsLearntOnRequest(ChatTemplate template)
    {
        var options = new ExampleEncoderOptions { Answers = LearnedAnswers.Last };
        Assert.That(Mark(new ExampleEncoder(Bytes, template, options).Encode(Conversation)!), Does.EndWith("«4 é<|im_end|>»\n")
            .And.Not.Contains("«2"));
    }

    [TestCaseSource(nameof(Templates))]
    public void PromptsAreNotLearntThoughTheAssistantSpeaksInThem(ChatTemplate template)
    {
        TokenizedExample example = new ExampleEncoder(Bytes, template).Encode(Conversation with { PromptLength = 4 })!;
        Assert.That(Mark(example), Does.EndWith("«4 é<|im_end|>»\n").And.Not.Contains("«2"));
    }

    [TestCase("llama-3.jinja", "<|start_header_id|>assistant<|end_header_id|>\n\n«2<|eot_id|>»<|start_header_id|>")]
    [TestCase("llama-3.1.jinja", "<|start_header_id|>assistant<|end_header_id|>\n\n«2<|eot_id|>»<|start_header_id|>")]
    [TestCase("qwen2.5.jinja", "<|im_start|>assistant\n«2<|im_end|>»\n<|im_start|>")]
    [TestCase("gemma.jinja", "<start_of_turn>model\n«2<end_of_turn>»\n<start_of_turn>")]
    [TestCase("zephyr.jinja", "<|assistant|>\n«2</s>»\n<|user|>")]
    public void AnswersAreFoundInTemplatesOfModels(string template, string expected) =>
        Assert.That(Mark(new ExampleEncoder(Bytes, Unmarked(template)).Encode(Conversation)!), Does.Contain(expected));

    [Test]
    public void AnswersAreFoundWhereNothingOpensThem()
    {
        ConversationExample turns = Conversation with { Messages = [.. Conversation.Messages.Skip(1)] };
        Assert.That(Mark(new ExampleEncoder(Bytes, Unmarked("mistral-v1.jinja")).Encode(turns)!),
            Is.EqualTo("<s>[INST] 1+1? [/INST]«2</s>»[INST] 2+2? [/INST]«4 é</s>»"));
    }

    [Test]
    public void WithoutAnEndOfTurnTokenTheLineEndIsLearnt()
    {
        ChatTemplate template = ChatTemplate.Parse(
            "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}");
        Assert.That(Mark(new ExampleEncoder(Bytes, template).Encode(Conversation)!), Does.EndWith("assistant: «4 é\n»"));
    }

    [Test]
    public void ATemplateThatRewritesEarlierTurnsIsAnErrorThatSaysWhatToDo()
    {
        var conversation = new ConversationExample(
            "chat.jsonl:7", [new("user", "1+1?"), new("assistant", "<think>\nhm\n</think>\n\n2"), new("user", "2+2?"),
                new("assistant", "<think>\nhm\n</think>\n\n4")]);
        ChatTemplate qwen3 = Unmarked("qwen3.jinja");
        Assert.That(
            () => new ExampleEncoder(Bytes, qwen3).Encode(conversation),
            Throws.TypeOf<InvalidDataException>().With.Message.StartsWith("chat.jsonl:7: qwen3.jinja: ")
                .And.Message.Contains("the first 2 turns")
                .And.Message.Contains("Learn the last answer only"));
        var options = new ExampleEncoderOptions { Answers = LearnedAnswers.Last };
        Assert.That(Mark(new ExampleEncoder(Bytes, qwen3, options).Encode(conversation)!),
            Does.EndWith("<|im_start|>assistant\n2<|im_end|>\n<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
                + "«<think>\nhm\n</think>\n\n4<|im_end|>»\n"));
    }

    [Test]
    public void ATokenAcrossABorderIsNotLearnt()
    {
        // Trained so that "ab" and "bc" are tokens.
        Tokenizer tokenizer = BpeTrainer.Train([Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("ab ", 50)))], vocabularySize: 258);
        Assert.That(tokenizer.Encode("ab"), Has.Length.EqualTo(1), "the test wants ab as one token");
        var options = new ExampleEncoderOptions { AddEndOfText = false };
        TokenizedExample example = new ExampleEncoder(tokenizer, null, options).Encode(new CompletionExample("a:1", "xa", "bxab"))!;
        Assert.That(example.Tokens, Is.EqualTo(tokenizer.Encode("xabxab")));
        Assert.That(example.Learned, Is.EqualTo(new[] { false, false, true, true }));
    }

    [Test]
    public void TokenizersThatChangeTheTextSayWhereTokensComeFrom()
    {
        using var folder = new TemporaryDirectory();
        Tokenizer tokenizer = PipelineTests.Load("llama2", folder.FullPath);
        string oneByOne = string.Concat(tokenizer.Encode("1 2").Select(id => tokenizer.Decode([id])));
        Assert.That(oneByOne, Is.Not.EqualTo("1 2"), "the test wants tokens whose texts are not the text");
        ChatTemplate template = ChatTemplate.Load(folder.FullPath, "mistral", tokenizer);
        TokenizedExample example = new ExampleEncoder(tokenizer, template).Encode(Conversation)!;
        string learned = string.Concat(example.Tokens.Where((_, place) => example.Learned[place]).Select(tokenizer.IdToToken));
        Assert.That(learned.Replace("<0xC3><0xA9>", "é", StringComparison.Ordinal), Is.EqualTo("▁2</s>▁4▁é</s>"));
    }

    [Test]
    public void CompletionsAndTextsEndWithTheEndOfText()
    {
        var encoder = new ExampleEncoder(Bytes);
        Assert.That(Mark(encoder.Encode(new CompletionExample("a:1", "1+1=", "2"))!), Is.EqualTo("1+1=«2<|endoftext|>»"));
        Assert.That(Mark(encoder.Encode(new TextExample("a:1", "abc"))!), Is.EqualTo("a«bc<|endoftext|>»"),
            "nothing comes before the first token");
        Assert.That(Mark(encoder.Encode(new CompletionExample("a:1", "", "ab"))!), Is.EqualTo("a«b<|endoftext|>»"));
        Assert.That(encoder.Encode(new TextExample("a:1", "")), Is.Null);
    }

    [Test]
    public void TurnsGoUntilTheRestFits()
    {
        ChatTemplate template = ChatTemplate.BuiltIn("chatml");
        TokenizedExample whole = new ExampleEncoder(Bytes, template).Encode(Conversation)!;
        TokenizedExample first = new ExampleEncoder(Bytes, template).Encode(
            Conversation with { Messages = [.. Conversation.Messages.Take(3)] })!;
        foreach (int length in new[] { whole.Tokens.Count - 1, first.Tokens.Count + 1, first.Tokens.Count })
        {
            var encoder = new ExampleEncoder(Bytes, template, new ExampleEncoderOptions { MaxLength = length });
            Assert.That(encoder.Encode(Conversation)!.Tokens, Is.EqualTo(first.Tokens));
            Assert.That(encoder.Counts.Truncated, Is.EqualTo(1));
        }

        var short_ = new ExampleEncoder(Bytes, template, new ExampleEncoderOptions { MaxLength = first.Tokens.Count - 1 });
        Assert.That(short_.Encode(Conversation), Is.Null);
        Assert.That(short_.Counts, Is.EqualTo(new ExampleCounts(1, 0, 1, 0, 0, 0)));
    }

    [Test]
    public void TokensGoOrTheExampleGoes()
    {
        var text = new CompletionExample("a:1", "12345", "678");
        var tokens = new ExampleEncoder(Bytes, null, new ExampleEncoderOptions { MaxLength = 7, Truncation = ExampleTruncation.Tokens });
        Assert.That(Mark(tokens.Encode(text)!), Is.EqualTo("12345«67»"));
        Assert.That(tokens.Counts, Is.EqualTo(new ExampleCounts(1, 1, 0, 0, 7, 2)));
        var none = new ExampleEncoder(Bytes, null, new ExampleEncoderOptions { MaxLength = 5, Truncation = ExampleTruncation.Tokens });
        Assert.That(none.Encode(text), Is.Null);
        Assert.That(none.Counts.TooLong, Is.EqualTo(1));
        var drop = new ExampleEncoder(Bytes, null, new ExampleEncoderOptions { MaxLength = 8, Truncation = ExampleTruncation.Drop });
        Assert.That(drop.Encode(text), Is.Null);
        Assert.That(drop.Encode(new CompletionExample("a:2", "1", "2")), Is.Not.Null);
        Assert.That(drop.Counts, Is.EqualTo(new ExampleCounts(2, 0, 1, 0, 3, 2)));
    }

    [Test]
    public void ExamplesWithoutAnswersAreLeftOutAndCounted()
    {
        var encoder = new ExampleEncoder(Bytes, ChatTemplate.BuiltIn("chatml"));
        var question = new ConversationExample("a:1", [new("user", "Hi")]);
        Assert.That(encoder.Encode([question, Conversation]).Count(), Is.EqualTo(1));
        Assert.That(encoder.Counts.WithoutTargets, Is.EqualTo(1));
    }

    [Test]
    public void NothingToLearnAtAllIsAnError()
    {
        var encoder = new ExampleEncoder(Bytes, ChatTemplate.BuiltIn("chatml"));
        Assert.That(() => encoder.Encode([]).Count(), Throws.TypeOf<InvalidDataException>().With.Message.Contains("no examples"));
        var question = new ConversationExample("a:1", [new("user", "Hi")]);
        Assert.That(() => encoder.Encode([question, question]).Count(), Throws.TypeOf<InvalidDataException>()
            .With.Message.Contains("none of the 2 examples"));
    }

    [Test]
    public void PairsAreEncodedTogether()
    {
        var encoder = new ExampleEncoder(Bytes);
        var pair = new PreferencePair(new CompletionExample("a:1", "1+1=", "2"), new CompletionExample("a:1", "1+1=", "3"));
        (TokenizedExample chosen, TokenizedExample rejected) = encoder.EncodePairs([pair]).Single();
        Assert.That(Mark(chosen), Is.EqualTo("1+1=«2<|endoftext|>»"));
        Assert.That(Mark(rejected), Is.EqualTo("1+1=«3<|endoftext|>»"));
    }

    [Test]
    public void ErrorsNameThePlace()
    {
        ChatTemplate template = ChatTemplate.Parse("{{ raise_exception('no') }}", "t.jinja");
        Assert.That(() => new ExampleEncoder(Bytes, template).Encode(Conversation),
            Throws.TypeOf<InvalidDataException>().With.Message.EqualTo("a:1: t.jinja, line 1: the template refuses: no"));
        Assert.That(() => new ExampleEncoder(Bytes).Encode(Conversation),
            Throws.TypeOf<InvalidDataException>().With.Message.StartsWith("a:1: ").And.Message.Contains("chat template"));
        Assert.That(() => new ExampleEncoder(CharacterTokenizer.Train("abc")).Encode(new TextExample("a:9", "xyz")),
            Throws.TypeOf<InvalidDataException>().With.Message.StartsWith("a:9: "));
    }

    [Test]
    public void GptsTokenizerLearnsTheSameTextAsBytes()
    {
        Tokenizer tokenizer = Tokenizer.Load(TestData.PathOf("gpt2"));
        ChatTemplate template = ChatTemplate.Load(TestData.PathOf("gpt2"), "plain", tokenizer);
        int checkedExamples = 0;
        foreach (TrainingExample example in ExampleFiles.Open(TestData.PathOf("dialogue")).Read())
        {
            if (new ExampleEncoder(tokenizer, template).Encode(example) is not { } encoded)
            {
                continue;
            }

            string expected = string.Concat(((ConversationExample)example).Messages
                .Where(message => message.Role == "assistant").Select(message => $" {message.Content.Trim()}<|endoftext|>"));
            int[] learned = [.. encoded.Tokens.Where((_, place) => encoded.Learned[place])];
            Assert.That(tokenizer.Decode(learned), Is.EqualTo(expected), example.Place);
            checkedExamples++;
        }

        Assert.That(checkedExamples, Is.GreaterThan(1000));
    }

    [Test]
    public void PreviewMarksWhatIsLearnt()
    {
        TokenizedExample example = new ExampleEncoder(Bytes).Encode(new CompletionExample("a:1", "1\e[2J+1=", "2\n3"))!;
        Assert.That(ExamplePreview.Format(example, Bytes),
            Is.EqualTo("12 tokens, 4 of them learnt: those between « and »\n1\\x1b[2J+1=«2\n3<|endoftext|>»"));
        Assert.That(ExamplePreview.Format(example, Bytes, color: true), Is.EqualTo(
            "12 tokens, 4 of them learnt: \e[1;32mlearnt\e[0m, \e[2monly read\e[0m\n\e[2m1\\x1b[2J+1=\e[0m\e[1;32m2\n3<|endoftext|>\e[0m"));
        Assert.That(ExamplePreview.Format(example, Bytes, maxTokens: 1), Does.EndWith("\n1… and 11 tokens more"));
    }

    private static ChatTemplate Unmarked(string name) => ChatTemplate.Parse(
        File.ReadAllText(TestData.InRepository("tests", "Ingot.Tests", "Chat", "Templates", name)),
        name,
        new Dictionary<string, object?> { ["bos_token"] = "<s>", ["eos_token"] = "</s>" });

    private static string Mark(TokenizedExample example)
    {
        string preview = ExamplePreview.Format(example, Bytes);
        string lineEnd = Bytes.Decode([example.Tokens[^1]]) == "\n" && !example.Learned[^1] ? "\n" : ""; // A preview ends without it.
        return preview[(preview.IndexOf('\n', StringComparison.Ordinal) + 1)..] + lineEnd;
    }
}
